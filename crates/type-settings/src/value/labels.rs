//! Labels of a container, for proxies, monitoring and people.

use std::fmt;
use std::str::FromStr;

use super::elements;

/// The beginnings of names that are reserved, because containers are found and told apart by these labels.
const OURS: [&str; 3] = ["com.dokku.", "com.formation.", "org.label-schema."];
/// The label that Dokku puts on everything of its own.
const DOKKU: &str = "dokku";

/// Labels, one of each name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels(Vec<Label>);

/// A label with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// Its value, which may be empty.
    pub value: String,
}

impl Label {
    /// Whether the name of a label is reserved for Formation or Dokku.
    pub fn is_ours(name: &str) -> bool {
        name == DOKKU || OURS.iter().any(|prefix| name.starts_with(prefix))
    }
}

impl Labels {
    /// The labels in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Label> {
        self.0.iter()
    }

    /// These labels, with those of a more general value that have other names.
    #[must_use]
    pub fn over(&self, under: &Self) -> Self {
        Self(elements::laid_over(&self.0, &under.0, |label| &label.name))
    }
}

impl FromStr for Labels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        elements::of_different_names(text, label, |label| &label.name).map(Self)
    }
}

fn label(element: &str) -> Result<Label, String> {
    let (name, value) = element.split_once('=').unwrap_or((element, ""));
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(format!(
            "{name:?} is no name of a label: use name=value, and \\, for a comma in a value"
        ));
    }
    if Label::is_ours(name) {
        return Err(format!("the label {name} says which instance a container is, and cannot be set"));
    }
    Ok(Label { name: name.to_owned(), value: value.to_owned() })
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        elements::write(f, &self.0)
    }
}
