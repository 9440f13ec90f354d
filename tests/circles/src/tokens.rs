//! Rust text as words and signs, without what holds no import: comments, strings, lines with a reason, inline tests.

/// The words and signs of a text, in order. `::` is one sign.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let kept: Vec<&str> = text.lines().filter(|line| !has_reason(line)).collect();
    without_tests(&signs(&kept.join("\n")))
}

fn has_reason(line: &str) -> bool {
    line.split_once("// circle:").is_some_and(|(_, reason)| !reason.trim().is_empty())
}

fn signs(text: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let length = if word > 0 {
            if raw_string(&rest[..word], &rest[word..]).is_none() {
                found.push(rest[..word].to_owned());
            }
            word + raw_string(&rest[..word], &rest[word..]).unwrap_or(0)
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if first == '"' {
            string(rest)
        } else if first == '\'' {
            character(rest)
        } else {
            let sign = if rest.starts_with("::") { 2 } else { first.len_utf8() };
            if !first.is_whitespace() {
                found.push(rest[..sign].to_owned());
            }
            sign
        };
        rest = &rest[length..];
    }
    found
}

/// The length of a raw string behind its `r` or `br`, hashes and quotes included.
fn raw_string(word: &str, rest: &str) -> Option<usize> {
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let inside = rest[hashes..].strip_prefix('"').filter(|_| matches!(word, "r" | "br"))?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(hashes + 1 + inside.find(&end).map_or(inside.len(), |at| at + end.len()))
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    rest.len()
}

/// The length of a character such as `'a'` or `'\''`; 1 for the sign of a lifetime.
fn character(rest: &str) -> usize {
    let mut inside = rest[1..].char_indices();
    match inside.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(1, |end| end + 4),
        Some(_) => inside.next().filter(|(_, c)| *c == '\'').map_or(1, |(end, _)| end + 2),
        None => 1,
    }
}

fn without_tests(tokens: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].iter().take(7).eq(["#", "[", "cfg", "(", "test", ")", "]"]) {
            at += 7 + item(&tokens[at + 7..]);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// The length of the item at the head: to its `;`, or to the brace that closes it.
fn item(tokens: &[String]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(token.as_str(), ";" | "}") {
            return at + 1;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        tokens(text).join(" ")
    }

    #[test]
    fn comments_strings_and_tests_hold_no_import() {
        assert_eq!(words("a /* b */ c // d\ne"), "a c e");
        assert_eq!(
            words(r##"f("crate::b", r#"crate::"c"#, b"\"", '"', '\'', 'a, '{')"##),
            "f ( , , b , , , a , )"
        );
        assert_eq!(words("#[cfg(test)]\nmod tests { use super::*; }\nx;"), "x ;");
        assert_eq!(words("#[cfg(test)]\nmod tests;\nx;"), "x ;");
    }

    #[test]
    fn an_import_with_a_reason_is_left_out_and_one_without_is_not() {
        assert_eq!(words("use crate::a; // circle: a table of functions\n"), "");
        assert_eq!(words("use crate::a; // circle:\n"), "use crate :: a ;");
    }
}
