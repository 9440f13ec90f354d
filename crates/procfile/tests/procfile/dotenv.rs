//! The two grammars of env files, compared with what other programs read: `tests/dotenv/vectors.jsonl` has texts, and
//! what godotenv, Compose, python-dotenv and bash read from each when `tests/dotenv/refresh` was last run.
//!
//! Our grammar reads what most of them read, and on a tie what Compose reads. An exception has the key `own` in its
//! vector, and `because` gives the reason. Dokku's grammar reads what godotenv reads; an exception has the key
//! `dokku`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use procfile::{EnvFile, EnvFileError, Grammar, Oddity, Reading};
use serde_json::{Map, Value, json};

const READERS: [&str; 4] = ["godotenv", "compose", "python-dotenv", "bash"];

fn place() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/dotenv")
}

fn vectors() -> Vec<Value> {
    let text = std::fs::read_to_string(place().join("vectors.jsonl")).expect("the vectors are there");
    let vectors: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON document")).collect();
    assert!(vectors.len() > 200, "only {} vectors", vectors.len());
    vectors
}

fn parse(text: &str, grammar: Grammar) -> Result<EnvFile, EnvFileError> {
    let known = |name: &[u8]| match name {
        b"CALLER" => Some(b"c".to_vec()),
        b"PATH" => Some(b"/usr/bin:/bin".to_vec()),
        _ => None,
    };
    EnvFile::parse_with(text.as_bytes(), &Reading { grammar, known: &known })
}

fn outcome(text: &str, grammar: Grammar) -> Value {
    match parse(text, grammar) {
        Ok(file) => {
            let values = file.iter().map(|(name, value)| (name.to_owned(), value.into()));
            Value::Object(values.collect::<Map<_, _>>())
        }
        Err(_) => json!("error"),
    }
}

/// What most of the four programs read; on a tie, what Compose reads.
fn majority(read: &Value) -> Value {
    let votes = |value: &Value| READERS.iter().filter(|reader| read[**reader] == *value).count();
    let best = READERS.iter().map(|reader| votes(&read[*reader])).max().unwrap_or(0);
    let mut winners: Vec<&Value> = Vec::new();
    for reader in READERS {
        if votes(&read[reader]) == best && !winners.contains(&&read[reader]) {
            winners.push(&read[reader]);
        }
    }
    if winners.len() == 1 { winners[0].clone() } else { read["compose"].clone() }
}

#[test]
fn our_grammar_reads_what_most_read_but_where_a_vector_says_why_not() {
    let mut wrong = Vec::new();
    for vector in vectors() {
        let text = vector["text"].as_str().expect("a text");
        let voted = majority(&vector["read"]);
        let expected = vector.get("own").unwrap_or(&voted);
        let is = outcome(text, Grammar::Own);
        if is != *expected {
            wrong.push(format!("{text:?} is {is}, expected {expected}"));
        }
        if vector.get("own").is_some() != vector.get("because").is_some() || vector.get("own") == Some(&voted)
        {
            wrong.push(format!(
                "{text:?}: own and because stand together, and only where most read otherwise"
            ));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn dokkus_grammar_reads_what_godotenv_reads_but_where_a_vector_says_so() {
    let mut wrong = Vec::new();
    for vector in vectors() {
        let text = vector["text"].as_str().expect("a text");
        let mut expected = vector.get("dokku").unwrap_or(&vector["read"]["godotenv"]).clone();
        // A value without a name is left out, because nobody could ask for it.
        if let Some(values) = expected.as_object_mut() {
            values.remove("");
        }
        let is = outcome(text, Grammar::Dokku);
        if is != expected {
            wrong.push(format!("{text:?} is {is}, expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// The warnings about a text, as (line, variable, kind).
fn oddities(text: &str, grammar: Grammar) -> Vec<(usize, String, Oddity)> {
    let file = parse(text, grammar).expect("legal");
    file.warnings().iter().map(|odd| (odd.line, odd.name.clone(), odd.oddity)).collect()
}

#[test]
fn what_is_odd_is_told_with_its_line_and_its_name() {
    for (text, line, name, oddity) in [
        ("A=1\nH=$2y$10$N9qo\n", 2, "H", Oddity::Undefined),
        ("DB=\"postgres://u:pa$word@h\"\n", 1, "DB", Oddity::Undefined),
        ("A=1\n\nB=${C}\n", 3, "B", Oddity::Undefined),
        ("A=\"\n\n\"\nB=$A$C\n", 4, "B", Oddity::Undefined),
        ("A=1\nSECRET\n", 2, "SECRET", Oddity::NoValue),
        ("A=1\nMIIEpAIBAAKCAQEA\nb64lower\n", 3, "it", Oddity::NoValue),
        ("A=# required\n", 1, "A", Oddity::LikeAComment),
    ] {
        let odd = oddities(text, Grammar::Own);
        assert!(odd.contains(&(line, name.to_owned(), oddity)), "{text:?}: {odd:?}");
    }
    for (text, line, name, oddity) in [
        ("PASS=   # required\n", 1, "PASS", Oddity::CommentInValue),
        ("A=value # fix for #123\n", 1, "A", Oddity::CommentInValue),
        ("A=1 # c # d\n", 1, "A", Oddity::CommentInValue),
        ("A=1\nH=$2y$10$N9qo\n", 2, "H", Oddity::Deleted),
    ] {
        let odd = oddities(text, Grammar::Dokku);
        assert!(
            odd.is_empty() == text.contains("#123") || odd == [(line, name.to_owned(), oddity)],
            "{text:?}: {odd:?}"
        );
    }
}

#[test]
fn an_ordinary_file_has_nothing_odd() {
    let text = "# how it runs\nexport A=1 # one\nB='$A'\nC=\"\\$A\"\nD=#fff\nE=$A\nF=${G:-x}\nP=./bin:$PATH\nCOST=5$\nQ=$1\n";
    assert_eq!(oddities(text, Grammar::Own), []);
    // A text as Dokku writes it: everything except numbers between double quotes, and every $ escaped.
    let text = "A=\"it's # no comment \\$x \\`y\\` \\!\"\nN=12\n";
    assert_eq!(oddities(text, Grammar::Dokku), []);
}

#[test]
fn a_refusal_names_the_line_and_never_quotes_the_file() {
    for (text, expected) in [
        ("A=1\n\nB+C=s3cret\n", "line 3: unexpected character '+' in variable name"),
        ("A=1\nB C=s3cret\n", "line 2: unexpected character ' ' in variable name"),
        ("A=1\n=s3cret\n", "line 2: variable name missing"),
        ("A=1\nB='s3cret\n", "line 2: unterminated quoted value"),
        ("A=\"x\ny\"\nB=\"s3\"cret\n", "line 3: only a comment may follow a closing quote"),
        (
            "A=1\nB=s3${cret\n",
            "line 2: B has a ${ that cannot be read: write it between single quotes if it is text",
        ),
        ("A=1\nB=${C:?s3cret}\n", "line 2: B needs C, which is not set"),
        ("A=1\nB=s3\0cret\n", "line 2: B has a NUL byte, which no variable can hold"),
    ] {
        assert_eq!(parse(text, Grammar::Own).expect_err(text).to_string(), expected);
    }
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("A=1".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let refused = EnvFile::parse(&utf16).expect_err("UTF-16");
    assert_eq!(refused.to_string(), "the file is UTF-16: save it as UTF-8");
}

#[test]
fn values_made_of_values_have_an_end() {
    let mut text = "A0=0123456789\n".to_owned();
    for n in 1..40 {
        writeln!(text, "A{n}=$A{0}$A{0}", n - 1).expect("a string takes everything");
    }
    for grammar in [Grammar::Own, Grammar::Dokku] {
        let refused = parse(&text, grammar).expect_err("too large").to_string();
        assert!(refused.contains("larger than 8 MiB"), "{refused}");
    }
    let nested = format!("A={}x{}\n", "${B:-".repeat(10_000), "}".repeat(10_000));
    assert!(parse(&nested, Grammar::Own).expect_err("too deep").to_string().contains("cannot be read"));
}

/// Runs the other programs again and compares their answers with the recorded ones. bash is on nearly every machine,
/// so it is always asked.
#[test]
fn the_recorded_answers_are_still_those_of_the_readers() {
    let long = std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1");
    let words: &[&str] = if long { &["--check"] } else { &["--check", "--only", "bash"] };
    match Command::new(place().join("refresh")).args(words).output() {
        Err(error) => skipped::skip(format_args!("tests/dotenv/refresh cannot be run: {error}")),
        Ok(ran) => {
            let said =
                String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
            said.lines().filter_map(|line| line.strip_prefix("skipped: ")).for_each(skipped::skip);
            assert!(ran.status.success() || ran.status.code() == Some(127), "{said}");
        }
    }
}
