//! Lists whose elements may contain commas: `\,` is a comma within an element.

use std::collections::BTreeSet;
use std::fmt;

const BETWEEN: char = ',';
const ESCAPE: char = '\\';

/// The elements of a list, without the blanks around them. No element may be empty.
pub(crate) fn split(text: &str) -> Result<Vec<String>, String> {
    let (mut elements, mut element) = (Vec::new(), String::new());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            ESCAPE if characters.peek() == Some(&BETWEEN) => element.extend(characters.next()),
            BETWEEN => elements.push(std::mem::take(&mut element)),
            other => element.push(other),
        }
    }
    elements.push(element);
    let elements: Vec<String> = elements.iter().map(|element| element.trim().to_owned()).collect();
    if elements.iter().any(String::is_empty) { Err("an element is empty".to_owned()) } else { Ok(elements) }
}

/// As [`split`], with each element parsed; two elements of the same name are an error.
pub(crate) fn of_different_names<T>(
    text: &str,
    read: impl Fn(&str) -> Result<T, String>,
    name: impl Fn(&T) -> &str,
) -> Result<Vec<T>, String> {
    let elements: Vec<T> = split(text)?.iter().map(|element| read(element)).collect::<Result<_, _>>()?;
    match twice(elements.iter().map(name)) {
        Some(name) => Err(format!("{name} is there twice")),
        None => Ok(elements),
    }
}

/// Writes elements as [`split`] reads them.
pub(crate) fn write<T: fmt::Display>(f: &mut fmt::Formatter<'_>, elements: &[T]) -> fmt::Result {
    f.write_str(&listed(elements))
}

/// The text of a list whose elements may have commas: `a=1\,2,b=3`.
pub fn listed<T: fmt::Display>(elements: &[T]) -> String {
    let escaped = elements.iter().map(|element| element.to_string().replace(BETWEEN, "\\,"));
    escaped.collect::<Vec<_>>().join(",")
}

/// The first name that occurs twice.
pub(crate) fn twice<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

/// The elements of one list, and those of a more general list whose names do not occur in the first one.
pub(crate) fn laid_over<T: Clone>(over: &[T], under: &[T], name: impl Fn(&T) -> &str) -> Vec<T> {
    let is_hidden = |element: &T| over.iter().any(|other| name(other) == name(element));
    let shown = under.iter().filter(|element| !is_hidden(element));
    shown.chain(over).cloned().collect()
}

/// Whether the engine takes a word for the name of a network or of a volume.
pub(crate) fn is_name(word: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    word.bytes().all(is_plain) && word.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_within_an_element_is_written_and_read_as_one() {
        let elements = ["a=1,2".to_owned(), r"b=\d".to_owned()];
        let text = listed(&elements);
        assert_eq!(text, r"a=1\,2,b=\d");
        assert_eq!(split(&text), Ok(elements.to_vec()));
        assert_eq!(split(" a , b "), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert!(split("a,,b").is_err() && split("").is_err());
    }
}
