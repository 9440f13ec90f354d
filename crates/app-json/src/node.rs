//! A value with its place in the file, taken apart as Go's encoding/json does it: null means "not set" for every kind
//! of value, and a value of a wrong kind is refused.

use std::fmt::Write as _;

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;
use type_settings::{Setting, Shape};

use crate::keys::{Keys, Use};
use crate::remark::Remark;
use crate::{Error, keys};

/// The longest part of a key or a value that a message shows, in characters.
const MAX_SHOWN: usize = 60;

/// A value and its place in the file.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    pub(crate) place: String,
    value: &'a Value<'a>,
    text: &'a str,
}

impl<'a> Node<'a> {
    pub(crate) fn root(value: &'a Value<'a>, text: &'a str) -> Self {
        Self { place: String::new(), value, text }
    }

    /// The members of an object with arbitrary keys, in the order of the file.
    pub(crate) fn members(&self) -> Result<Vec<(&'a str, Self)>, Error> {
        self.members_or("an object")
    }

    /// As [`Node::members`]; if the value is not an object, the error says that `wanted` is wanted.
    pub(crate) fn members_or(&self, wanted: &'static str) -> Result<Vec<(&'a str, Self)>, Error> {
        match self.value {
            Value::Object(object) => Ok(object
                .properties
                .iter()
                .map(|property| (property.name.as_str(), self.at(property.name.as_str(), &property.value)))
                .collect()),
            Value::NullKeyword(_) => Ok(Vec::new()),
            _ => Err(self.refuse(wanted)),
        }
    }

    /// The members of an object whose keys are known, each under the known spelling of its key, in the order of the
    /// file. Unknown keys and keys that occur twice become remarks.
    pub(crate) fn fields(
        &self,
        keys: Keys<'_>,
        remarks: &mut Vec<Remark>,
    ) -> Result<Vec<(&'static str, Self)>, Error> {
        let mut found: Vec<(&'static str, Self)> = Vec::new();
        for (name, node) in self.members()? {
            let Some((key, meaning)) = keys::find(keys, name) else {
                if !keys::is_comment(name) {
                    remarks.push(Remark::unknown(node.place, keys::nearest(keys, name)));
                }
                continue;
            };
            let is_second = found.iter().any(|(other, _)| *other == key);
            match meaning {
                Use::Read if is_second => remarks.push(Remark::Twice { place: node.place.clone() }),
                Use::Unread(why) if !is_second && !node.is_nothing() => {
                    remarks.push(Remark::unread(&node.place, why));
                }
                Use::Read | Use::Unread(_) | Use::Silent => {}
            }
            found.push((key, node));
        }
        Ok(found)
    }

    /// The elements of an array.
    pub(crate) fn elements(&self) -> Result<Vec<Self>, Error> {
        match self.value {
            Value::Array(array) => {
                let node =
                    |(index, value)| Self { place: format!("{}[{index}]", self.place), value, ..*self };
                Ok(array.elements.iter().enumerate().map(node).collect())
            }
            Value::NullKeyword(_) => Ok(Vec::new()),
            _ => Err(self.refuse("an array")),
        }
    }

    /// The elements of an array of strings.
    pub(crate) fn strings(&self) -> Result<Vec<String>, Error> {
        self.elements()?.iter().map(|node| Ok(node.string()?.unwrap_or_default())).collect()
    }

    pub(crate) fn string(&self) -> Result<Option<String>, Error> {
        match self.value {
            Value::StringLit(string) => Ok(Some(string.value.clone().into_owned())),
            Value::NullKeyword(_) => Ok(None),
            _ => Err(self.refuse("a string")),
        }
    }

    pub(crate) fn whole_number(&self) -> Result<Option<i64>, Error> {
        match self.value {
            Value::NumberLit(number) => number.value.parse().map(Some).map_err(|_| {
                let is_whole = number.value.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
                self.refuse(if is_whole { "a smaller number" } else { "a whole number" })
            }),
            Value::NullKeyword(_) => Ok(None),
            _ => Err(self.refuse("a whole number")),
        }
    }

    pub(crate) fn boolean(&self) -> Result<Option<bool>, Error> {
        match self.value {
            Value::BooleanLit(boolean) => Ok(Some(boolean.value)),
            Value::NullKeyword(_) => Ok(None),
            _ => Err(self.refuse("true or false")),
        }
    }

    /// The value of a setting as text, in the form that a property of the same name has.
    pub(crate) fn setting(&self, setting: &Setting) -> Result<Option<String>, Error> {
        let texts = match self.value {
            Value::Array(_) if setting.shape != Shape::Word => {
                let text = |element: &Self| Ok(element.scalar(setting)?.unwrap_or_default());
                self.elements()?.iter().map(text).collect::<Result<Vec<_>, Error>>()?
            }
            Value::Object(_) if setting.shape == Shape::Pairs => self.pairs(setting)?,
            _ => return self.scalar(setting),
        };
        let text = match setting.shape {
            Shape::Word | Shape::List => texts.join(","),
            Shape::Elements | Shape::Pairs => type_settings::listed(&texts),
        };
        // An empty list or object sets nothing.
        Ok((!texts.is_empty()).then_some(text))
    }

    /// `name=value` for each member of an object; if the value is a list or an object, one for each of its elements.
    fn pairs(&self, setting: &Setting) -> Result<Vec<String>, Error> {
        let mut pairs = Vec::new();
        for (name, node) in self.members()? {
            let values = match node.value {
                Value::Array(_) => {
                    let values = node
                        .elements()?
                        .iter()
                        .map(|value| value.scalar(setting))
                        .collect::<Result<Vec<_>, _>>()?;
                    values.into_iter().flatten().collect()
                }
                Value::Object(_) => node.pairs(setting)?,
                _ => node.scalar(setting)?.into_iter().collect(),
            };
            pairs.extend(values.into_iter().map(|value| format!("{name}={value}")));
        }
        Ok(pairs)
    }

    /// A single value as text.
    fn scalar(&self, setting: &Setting) -> Result<Option<String>, Error> {
        match self.value {
            Value::StringLit(string) => Ok(Some(string.value.clone().into_owned())),
            Value::NumberLit(number) => Ok(Some(number.value.to_owned())),
            Value::BooleanLit(boolean) => Ok(Some(boolean.value.to_string())),
            Value::NullKeyword(_) => Ok(None),
            Value::Array(_) | Value::Object(_) => Err(self.refuse(setting.rule)),
        }
    }

    /// Whether the value sets nothing: it is null or empty.
    pub(crate) fn is_nothing(&self) -> bool {
        match self.value {
            Value::NullKeyword(_) => true,
            Value::StringLit(string) => string.value.is_empty(),
            Value::Array(array) => array.elements.is_empty(),
            Value::Object(object) => object.properties.is_empty(),
            Value::NumberLit(_) | Value::BooleanLit(_) => false,
        }
    }

    pub(crate) fn refuse(&self, wanted: &'static str) -> Error {
        let got = match self.value {
            Value::Object(_) => "an object".to_owned(),
            Value::Array(_) => "an array".to_owned(),
            other => one_line(other.text(self.text)),
        };
        Error::Value { place: self.place.clone(), wanted, got }
    }

    /// As [`Node::refuse`], for a value of the right kind with wrong content: a list is shown with its elements.
    pub(crate) fn refuse_content(&self, wanted: &'static str) -> Error {
        Error::Value { place: self.place.clone(), wanted, got: one_line(self.value.text(self.text)) }
    }

    fn at(&self, key: &str, value: &'a Value<'a>) -> Self {
        Self { place: place(&self.place, key), value, text: self.text }
    }
}

/// The place of a key in an object: `formation.web`, or `formation."a.b"` if the key is no plain word.
pub(crate) fn place(object: &str, key: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$');
    let mut place = object.to_owned();
    if !place.is_empty() {
        place.push('.');
    }
    // Writing to a string cannot fail.
    let _ = if !key.is_empty() && key.len() <= MAX_SHOWN && key.bytes().all(is_plain) {
        place.write_str(key)
    } else {
        write!(place, "{:?}", key.chars().take(MAX_SHOWN).collect::<String>())
    };
    place
}

fn one_line(text: &str) -> String {
    let mut shown: String =
        text.chars().take(MAX_SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
