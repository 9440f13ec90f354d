//! The two grammars of env files (docs/dotenv.md): our own, and that of the parser by which Dokku reads the files
//! that it writes. Both read statements from left to right, each with a name, a separator and a value.

mod dokku;
mod lines;
mod own;
mod reference;

use crate::ambient::Ambient;
use crate::env_file::EnvFile;
use crate::env_file_error::EnvFileError;
use crate::text::BOM;

/// The grammar in which a file is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grammar {
    /// Our own, for every file that a person wrote.
    #[default]
    Own,
    /// That of Dokku's parser, for the ENV files that Dokku writes.
    Dokku,
}

/// The grammar of a file, and the variables that exist before it is read.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// The grammar.
    pub grammar: Grammar,
    /// Variables that exist before the file is read, so that a `$NAME` in the file may refer to them. Dokku's grammar
    /// does not use them.
    pub known: &'a Ambient<'a>,
}

impl EnvFile {
    /// Reads an env file in our own grammar, with no variables known before it.
    ///
    /// ```
    /// let env = procfile::EnvFile::parse(b"HOST=a.example\nURL=\"http://$HOST/\" # public\n")?;
    /// assert_eq!(env.get("URL"), Some("http://a.example/"));
    /// # Ok::<(), procfile::EnvFileError>(())
    /// ```
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvFileError> {
        Self::parse_with(bytes, &Reading { grammar: Grammar::Own, known: &|_| None })
    }

    /// Reads an env file in the given grammar.
    ///
    /// ```
    /// use procfile::{EnvFile, Grammar, Reading};
    ///
    /// let known = |name: &[u8]| (name == b"PATH").then(|| b"/bin".to_vec());
    /// let reading = Reading { grammar: Grammar::Own, known: &known };
    /// let env = EnvFile::parse_with(b"PATH=./bin:$PATH\nHASH=$2y$10$abc\n", &reading)?;
    /// assert_eq!(env.get("PATH"), Some("./bin:/bin"));
    /// assert_eq!(env.get("HASH"), Some("$2y$10$abc"));
    /// assert_eq!(env.warnings()[0].line, 2);
    /// # Ok::<(), procfile::EnvFileError>(())
    /// ```
    pub fn parse_with(bytes: &[u8], reading: &Reading<'_>) -> Result<Self, EnvFileError> {
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(EnvFileError::Utf16);
        }
        let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        let mut file = Self::default();
        match reading.grammar {
            Grammar::Own => own::read(bytes, reading.known, &mut file)?,
            Grammar::Dokku => dokku::read(bytes, &mut file)?,
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dokku's grammar; tests/dotenv.rs holds ours.
    fn parse(text: &str) -> Result<EnvFile, EnvFileError> {
        let reading = Reading { grammar: Grammar::Dokku, known: &|_| None };
        EnvFile::parse_with(text.as_bytes(), &reading)
    }

    fn read(text: &str) -> Vec<(String, String)> {
        let file = parse(text).expect("legal");
        file.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn value(text: &str) -> String {
        read(text).pop().expect("one variable").1
    }

    fn refusal(text: &str) -> String {
        parse(text).expect_err("broken on purpose").to_string()
    }

    #[test]
    fn keys_come_in_file_order_and_the_last_value_wins() {
        let file = read("\u{feff}B=1\r\n# c\r\nexport A=2\nB=3\nC: 4\nexportD=5\n");
        let pairs: Vec<_> = file.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(pairs, ["B=3", "A=2", "C=4", "exportD=5"]);
    }

    #[test]
    fn unquoted_values_end_at_the_last_comment() {
        for (text, expected) in [
            ("A=1 # c # d\n", "1 # c"),
            ("A=1#c", "1#c"),
            ("A= # c\n", "# c"),
            ("A=  two words \t\n", "two words"),
            ("A=b=c", "b=c"),
            ("A=", ""),
            ("A=a\\nb", "a\\nb"),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn quotes_may_span_lines() {
        for (text, expected) in [
            ("A=\"l1\nl2\"", "l1\nl2"),
            ("A='l1\nl2'", "l1\nl2"),
            ("A=\"a\\nb\\tc\\\\d\"", "a\nbtc\\d"),
            ("A=\"a\\\"b\"", "a\"b"),
            ("A='a\\'b'", "a\\'b"),
            ("A='a # b'", "a # b"),
            ("A=\"x\\\\\"\n", "x\\"),
            ("A='$B'", "$B"),
            ("A=\"\"", ""),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
        assert_eq!(read("A=\"x\"B=2").len(), 2);
    }

    #[test]
    fn earlier_keys_are_expanded_and_shell_text_is_left_alone() {
        for (rest, expected) in [
            ("$A", "1"),
            ("${A}x", "1x"),
            ("$NOPE.", "."),
            ("\\$A", "$A"),
            ("$a ${a}", "$a ${a}"),
            ("$(A)", "$(A)"),
            ("$(cmd)", "$(cmd)"),
            ("${A:-x}", "${A:-x}"),
            ("$A}", "1"),
            ("$ $", "$ $"),
            ("\"$A\"", "1"),
            ("\"\\$A\"", "$A"),
        ] {
            assert_eq!(value(&format!("A=1\nB={rest}\n")), expected, "{rest:?}");
        }
        assert_eq!(read("B=$A\nA=1")[0].1, "");
    }

    #[test]
    fn errors_name_the_line_and_keep_the_secrets() {
        assert_eq!(refusal("A=1\n\nB-C=s3cret\n"), "line 3: unexpected character '-' in variable name");
        assert_eq!(refusal("FOO\nA=1"), "line 1: unexpected character '\\n' in variable name");
        assert_eq!(refusal("A=1\nB='s3cret\n"), "line 2: unterminated quoted value");
        assert_eq!(refusal("A=\"x\"\n-"), "line 2: unexpected character '-' in variable name");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_kept() {
        let file = EnvFile::parse(b"A=a\xffb\n").expect("legal");
        assert_eq!((file.get("A"), file.get_bytes(b"A")), (Some("a\u{fffd}b"), Some(&b"a\xffb"[..])));
        let file = EnvFile::parse(b"A\xff-b.c=1\nB='\x01\xfe'\n").expect("legal");
        assert_eq!((file.get_bytes(b"A\xff-b.c"), file.line_of(b"B")), (Some(&b"1"[..]), Some(2)));
    }
}
