//! Reading back the pages that the program writes.

use serde_json::Value;

use crate::program::Desk;

/// A page as text.
///
/// # Panics
/// If it is not there, or not UTF-8.
#[track_caller]
pub fn text(desk: &Desk, name: &str) -> String {
    String::from_utf8(desk.read(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The facts that a page holds for programs.
///
/// # Panics
/// If it holds none.
#[track_caller]
pub fn facts(desk: &Desk, name: &str) -> Value {
    let page = text(desk, name);
    let data = page
        .split_once("<script type=\"application/json\" id=\"report\">")
        .and_then(|(_, rest)| rest.split_once("</script>"));
    let (data, _) = data.unwrap_or_else(|| panic!("{name} holds no facts"));
    serde_json::from_str(data).unwrap_or_else(|e| panic!("{name}: {e}"))
}
