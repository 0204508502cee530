//! SECURITY.md names the tests that show what it claims: they exist.

use ssl_tests::root;

/// The files that a line links to, each with the words in backticks behind it, up to the next link.
fn claims(line: &str) -> Vec<(&str, Vec<&str>)> {
    let links = line.split("](").skip(1);
    let claim = |link| {
        let (file, rest) = str::split_once(link, ')')?;
        let words = rest.split('`').skip(1).step_by(2);
        Some((file, words.filter(|word| word.contains('_')).collect()))
    };
    links.filter_map(claim).collect()
}

#[test]
fn every_test_that_a_claim_names_exists() {
    let text = std::fs::read_to_string(root().join("SECURITY.md")).expect("SECURITY.md");
    // A sentence may go over several lines.
    let joined = text.replace("\n`", " `");
    let (mut named, mut wrong) = (0, Vec::new());
    for (file, tests) in joined.lines().flat_map(claims) {
        match std::fs::read_to_string(root().join(file)) {
            Err(error) => wrong.push(format!("{file}: {error}")),
            Ok(source) => {
                for test in tests {
                    named += 1;
                    if !source.contains(&format!("fn {test}()")) {
                        wrong.push(format!("{file}: no test {test}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "SECURITY.md:\n{}", wrong.join("\n"));
    assert!(named > 15, "only {named} tests are named");
}

#[test]
fn claims_are_found_in_a_line() {
    let line =
        "| x | y | [a.rs](t/a.rs) `one_is` `two_are`, [b.rs](t/b.rs) `three_is` and `--flag` |";
    let found = claims(line);
    assert_eq!(
        found,
        [
            ("t/a.rs", vec!["one_is", "two_are"]),
            ("t/b.rs", vec!["three_is"])
        ]
    );
}
