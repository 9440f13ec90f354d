//! From text to a tree of values: JSON with comments and with a comma after the last element. Nothing else is added,
//! because Dokku would refuse it.

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions};

use crate::Error;

const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The value of the text; `None` if it contains only white space and comments.
pub(crate) fn parse(text: &str) -> Result<Option<Value<'_>>, Error> {
    let parsed = jsonc_parser::parse_to_ast(text, &CollectOptions::default(), &OPTIONS);
    parsed.map(|parsed| parsed.value).map_err(|why| Error::Syntax {
        line: why.line_display(),
        column: why.column_display(),
        what: sentence(&why.kind().to_string()),
    })
}

/// The value of the text as `serde_json` data.
pub(crate) fn value(text: &str) -> Result<Option<serde_json::Value>, Error> {
    parse(text)?;
    Ok(jsonc_parser::parse_to_serde_value(text, &OPTIONS).ok().flatten())
}

/// The offset after the opening brace, if the text is an object.
pub(crate) fn beginning_of_object(text: &str) -> Result<Option<usize>, Error> {
    let object = parse(text)?.filter(|value| matches!(value, Value::Object(_)));
    Ok(object.map(|object| object.range().start + 1))
}

/// Whether the text is an object without members.
pub(crate) fn is_empty_object(text: &str) -> Result<bool, Error> {
    Ok(matches!(parse(text)?, Some(Value::Object(object)) if object.properties.is_empty()))
}

/// Turns a message of the parser, which begins with a capital letter, into a fragment.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}
