//! Parses a long JSON array one element at a time. A parsed document takes many times the memory of its text, and only
//! a few fields of each element are needed.

use std::fmt;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::Value;

/// The results of `read` for each element of the array in `text`.
pub(crate) fn each<R>(text: &[u8], read: impl FnMut(&Value) -> R) -> serde_json::Result<Vec<R>> {
    let mut document = serde_json::Deserializer::from_slice(text);
    let made = document.deserialize_seq(Each(read))?;
    document.end()?;
    Ok(made)
}

struct Each<F>(F);

impl<'de, R, F: FnMut(&Value) -> R> Visitor<'de> for Each<F> {
    type Value = Vec<R>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut made = Vec::new();
        while let Some(element) = elements.next_element()? {
            made.push(self.0(&element));
        }
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_element_is_read_in_turn_and_what_is_no_array_is_an_error() {
        let read = |text: &str| each(text.as_bytes(), |element| element["id"].as_u64()).ok();
        assert_eq!(read(r#"[{"id": 1}, {}, {"id": 3}]"#), Some(vec![Some(1), None, Some(3)]));
        assert_eq!(read("[]"), Some(vec![]));
        for odd in ["", "{}", "null", "[1", "[] []"] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
