//! Lists: elements with commas between them.

use std::fmt;
use std::str::FromStr;

/// Patterns of names, none of them empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patterns(Vec<String>);

/// Paths below the app's directory; `.` is all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths(Vec<String>);

impl Patterns {
    /// The patterns in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl Paths {
    /// The paths in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl FromStr for Patterns {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        elements(text).map(Self).ok_or(())
    }
}

impl FromStr for Paths {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_below = |path: &String| !path.starts_with('/') && !path.split('/').any(|part| part == "..");
        elements(text).filter(|paths| paths.iter().all(is_below)).map(Self).ok_or(())
    }
}

fn elements(text: &str) -> Option<Vec<String>> {
    let elements: Vec<String> = text.split(',').map(|element| element.trim().to_owned()).collect();
    elements.iter().all(|element| !element.is_empty()).then_some(elements)
}

impl fmt::Display for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}
