//! What shells and `man` are given of the command line.

use std::collections::BTreeSet;

use ssl_tests::program::Desk;

#[test]
fn shells_complete_every_command() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = desk.ssl(&format!("completions {shell}")).success().stdout;
        for word in ["finetune", "reconstruct", "holdout"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
    let unknown = desk.ssl("completions tcsh");
    assert_eq!(unknown.code, Some(2), "{unknown}");
    assert!(unknown.stderr.contains("bash, elvish, fish"), "{unknown}");
}

#[test]
fn each_command_that_help_shows_has_a_page() {
    let desk = Desk::new();
    let help = desk.ssl("--help").success().stdout;
    let listed = help
        .split("Commands:\n")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next())
        .expect("a list of commands");
    let names = listed
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names = names.filter(|name| !name.is_empty() && *name != "help");
    let mut expected: BTreeSet<String> = names.map(|name| format!("ssl-{name}.1")).collect();
    assert!(expected.len() > 15, "{expected:?}");
    expected.insert("ssl.1".to_owned());

    std::fs::create_dir(desk.path("man")).expect("the folder is new");
    desk.ssl("man man").success();
    let entries = std::fs::read_dir(desk.path("man")).expect("a folder");
    let found: BTreeSet<String> = entries
        .map(|entry| {
            let name = entry.expect("a readable folder").file_name();
            name.to_string_lossy().into_owned()
        })
        .collect();
    assert_eq!(found, expected);
    let page = String::from_utf8(desk.read("man/ssl-finetune.1")).expect("UTF-8");
    assert!(page.contains(".TH ssl-finetune 1"), "{page:.200}");
    assert!(page.contains("\\-\\-holdout"), "{page:.2000}");
    desk.ssl("man nowhere").refused(1, &["nowhere"]);
}
