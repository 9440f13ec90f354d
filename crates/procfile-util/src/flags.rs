//! The flag grammar of the original tool, which is that of Go's pflag: grouped short flags, `-n=value`, no
//! abbreviations, and its error messages. clap has another grammar, other messages and another exit status, so it
//! cannot be used here.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::number;
use crate::quote;

/// A flag of a command.
#[derive(Debug)]
pub(crate) struct Flag {
    /// Its name behind `--`.
    pub(crate) long: &'static str,
    /// Its letter behind `-`.
    pub(crate) short: Option<u8>,
    /// The kind of its value.
    pub(crate) kind: Kind,
    /// Its help text.
    pub(crate) help: &'static str,
}

/// The kind of value that a flag takes, and its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text(&'static str),
    Integer(i64),
    Switch,
}

/// The flags that were given.
#[derive(Debug)]
pub(crate) struct Given {
    flags: Flags,
    values: Vec<(&'static str, Value)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Text(OsString),
    Integer(i64),
    Switch(bool),
}

/// Why arguments were refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// `h` in a group of short flags, or `--help=…`: the original prints the help and then fails.
    Help,
    /// The message.
    Said(String),
}

impl Given {
    /// The last value of a text flag, or its default.
    pub(crate) fn text(&self, long: &str) -> &OsStr {
        match (self.last(long), find(self.flags, |flag| flag.long == long)) {
            (Some(Value::Text(text)), _) => text,
            (_, Some(Flag { kind: Kind::Text(default), .. })) => OsStr::new(default),
            _ => OsStr::new(""),
        }
    }

    /// The last value of a text flag as text. Bytes that are not UTF-8 are shown as U+FFFD.
    pub(crate) fn word(&self, long: &str) -> std::borrow::Cow<'_, str> {
        self.text(long).to_string_lossy()
    }

    /// All values of a text flag, or its default.
    pub(crate) fn texts<'a>(&'a self, long: &'a str) -> Vec<&'a OsStr> {
        let given: Vec<&OsStr> = self.all(long).filter_map(Value::as_text).collect();
        if given.is_empty() { vec![self.text(long)] } else { given }
    }

    /// The value of a numeric flag.
    pub(crate) fn integer(&self, long: &str) -> i64 {
        match (self.last(long), find(self.flags, |flag| flag.long == long)) {
            (Some(Value::Integer(number)), _) | (_, Some(Flag { kind: Kind::Integer(number), .. })) => {
                *number
            }
            _ => 0,
        }
    }

    /// Whether a switch is on.
    pub(crate) fn on(&self, long: &str) -> bool {
        self.last(long) == Some(&Value::Switch(true))
    }

    /// Whether a flag was given at all.
    pub(crate) fn has(&self, long: &str) -> bool {
        self.last(long).is_some()
    }

    fn all<'a>(&'a self, long: &'a str) -> impl DoubleEndedIterator<Item = &'a Value> {
        self.values.iter().filter(move |(name, _)| *name == long).map(|(_, value)| value)
    }

    fn last(&self, long: &str) -> Option<&Value> {
        self.values.iter().rev().find(|(name, _)| *name == long).map(|(_, value)| value)
    }
}

impl Value {
    fn as_text(&self) -> Option<&OsStr> {
        match self {
            Self::Text(text) => Some(text),
            Self::Integer(_) | Self::Switch(_) => None,
        }
    }
}

/// Groups of flags: those of one command, and those of every command.
pub(crate) type Flags = &'static [&'static [Flag]];

/// Reads the arguments behind a command's name: flags, and one argument without dashes, which is the value of the
/// flag `operand`.
pub(crate) fn parse(
    flags: Flags,
    operand: Option<&'static str>,
    args: &[OsString],
) -> Result<Given, Refused> {
    let mut parser = Parser { flags, rest: args.iter(), given: Given { flags, values: Vec::new() } };
    let mut positionals = 0;
    while let Some(arg) = parser.rest.next() {
        match arg.as_bytes() {
            b"--" => {
                positionals += parser.rest.len();
                break;
            }
            [b'-', b'-', long @ ..] => parser.long(long, arg)?,
            [b'-', cluster @ ..] if !cluster.is_empty() => parser.cluster(cluster)?,
            word => match operand.filter(|operand| !parser.given.has(operand)) {
                Some(operand) => {
                    let word = OsString::from_vec(word.to_vec());
                    parser.given.values.push((operand, Value::Text(word)));
                }
                None => positionals += 1,
            },
        }
    }
    match positionals {
        0 => Ok(parser.given),
        1 => Err(Refused::Said("This command requires 0 arguments, 1 argument given: ".to_owned())),
        n => Err(Refused::Said(format!("This command requires 0 arguments, {n} arguments given: "))),
    }
}

/// Whether `-h`, `-help` or `--help` stands where a flag can stand, and is not the value of another flag.
pub(crate) fn ask_for_help(flags: Flags, args: &[OsString]) -> bool {
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_bytes() {
            b"--" => return false,
            b"-h" | b"-help" | b"--help" => return true,
            [b'-', b'-', long @ ..] => {
                let flag = find(flags, |flag| flag.long.as_bytes() == long);
                if flag.is_some_and(|flag| flag.kind != Kind::Switch) {
                    rest.next();
                }
            }
            [b'-', cluster @ ..] if cluster_wants_value(flags, cluster) => {
                rest.next();
            }
            _ => {}
        }
    }
    false
}

fn cluster_wants_value(flags: Flags, cluster: &[u8]) -> bool {
    for (at, letter) in cluster.iter().enumerate() {
        match find(flags, |flag| flag.short == Some(*letter)) {
            None => return false,
            Some(flag) if flag.kind != Kind::Switch => return at + 1 == cluster.len(),
            Some(_) => {}
        }
    }
    false
}

fn find(flags: Flags, is_it: impl Fn(&Flag) -> bool) -> Option<&'static Flag> {
    flags.iter().flat_map(|group| group.iter()).find(|flag| is_it(flag))
}

struct Parser<'a> {
    flags: Flags,
    rest: std::slice::Iter<'a, OsString>,
    given: Given,
}

impl Parser<'_> {
    /// `--name`, `--name=value`, `--name value`.
    fn long(&mut self, long: &[u8], arg: &OsStr) -> Result<(), Refused> {
        if long.is_empty() || matches!(long[0], b'-' | b'=') {
            return Err(Refused::Said(format!("bad flag syntax: {}", arg.display())));
        }
        let (name, inline) = match long.iter().position(|byte| *byte == b'=') {
            Some(at) => (&long[..at], Some(&long[at + 1..])),
            None => (long, None),
        };
        let Some(flag) = find(self.flags, |flag| flag.long.as_bytes() == name) else {
            return Err(match name {
                b"help" => Refused::Help,
                name => Refused::Said(format!("unknown flag: --{}", OsStr::from_bytes(name).display())),
            });
        };
        let missing = || Refused::Said(format!("flag needs an argument: {}", arg.display()));
        let value = match (inline, flag.kind) {
            (Some(value), _) => value,
            (None, Kind::Switch) => b"true",
            (None, _) => self.rest.next().ok_or_else(missing)?.as_bytes(),
        };
        self.take(flag, value)
    }

    /// `-n`, `-nvalue`, `-n value`, `-n=value`, and switches before them.
    fn cluster(&mut self, mut cluster: &[u8]) -> Result<(), Refused> {
        if cluster.starts_with(b"test.") {
            return Ok(());
        }
        while let Some((letter, rest)) = cluster.split_first() {
            let Some(flag) = find(self.flags, |flag| flag.short == Some(*letter)) else {
                return Err(unknown_letter(*letter, cluster));
            };
            let value = match (rest, flag.kind) {
                ([b'=', value @ ..], _) if !value.is_empty() => value,
                (_, Kind::Switch) => {
                    self.take(flag, b"true")?;
                    cluster = rest;
                    continue;
                }
                ([], _) => match self.rest.next() {
                    Some(next) => next.as_bytes(),
                    None => return Err(needs_value(*letter, cluster)),
                },
                (value, _) => value,
            };
            return self.take(flag, value);
        }
        Ok(())
    }

    fn take(&mut self, flag: &'static Flag, value: &[u8]) -> Result<(), Refused> {
        let word = String::from_utf8_lossy(value);
        let taken = match flag.kind {
            Kind::Text(_) => Value::Text(OsString::from_vec(value.to_vec())),
            Kind::Switch => match number::truth(&word) {
                Some(on) => Value::Switch(on),
                None => return Err(invalid(flag, value, "strconv.ParseBool", "invalid syntax")),
            },
            Kind::Integer(_) => match number::integer(&word) {
                Ok(number) => Value::Integer(number),
                Err(why) => return Err(invalid(flag, value, "strconv.ParseInt", why.words())),
            },
        };
        self.given.values.push((flag.long, taken));
        Ok(())
    }
}

fn unknown_letter(letter: u8, cluster: &[u8]) -> Refused {
    if letter == b'h' {
        return Refused::Help;
    }
    let cluster = OsStr::from_bytes(cluster).display();
    Refused::Said(format!("unknown shorthand flag: {} in -{cluster}", quote::single(letter)))
}

fn needs_value(letter: u8, cluster: &[u8]) -> Refused {
    let cluster = OsStr::from_bytes(cluster).display();
    Refused::Said(format!("flag needs an argument: {} in -{cluster}", quote::single(letter)))
}

fn invalid(flag: &Flag, value: &[u8], function: &str, why: &str) -> Refused {
    let value = quote::double(value);
    let name = match flag.short {
        Some(short) => format!("-{}, --{}", char::from(short), flag.long),
        None => format!("--{}", flag.long),
    };
    Refused::Said(format!("invalid argument {value} for \"{name}\" flag: {function}: parsing {value}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    static FLAGS: Flags = &[&[
        Flag { long: "default-port", short: Some(b'd'), kind: Kind::Integer(5000), help: "" },
        Flag { long: "strict", short: Some(b'S'), kind: Kind::Switch, help: "" },
        Flag { long: "procfile", short: Some(b'P'), kind: Kind::Text("Procfile"), help: "" },
        Flag { long: "timeout", short: None, kind: Kind::Integer(5), help: "" },
    ]];

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').filter(|word| !word.is_empty()).map(OsString::from).collect()
    }

    fn given(line: &str) -> (String, i64, bool) {
        let given = parse(FLAGS, None, &words(line)).expect("legal");
        (given.word("procfile").into_owned(), given.integer("default-port"), given.on("strict"))
    }

    fn refusal(line: &str) -> String {
        match parse(FLAGS, None, &words(line)).expect_err("refused") {
            Refused::Help => "help".to_owned(),
            Refused::Said(text) => text,
        }
    }

    #[test]
    fn flags_are_read_in_every_spelling() {
        for (line, expected) in [
            ("", ("Procfile", 5000, false)),
            ("-P a --default-port 7 --strict", ("a", 7, true)),
            ("-Pa -d=0x10 -S=false", ("a", 16, false)),
            ("-P=a -Sd7", ("a", 7, true)),
            ("-P= --strict=T", ("=", 5000, true)),
            ("-P a -P b", ("b", 5000, false)),
            ("-P -h --", ("-h", 5000, false)),
            ("-test.v", ("Procfile", 5000, false)),
        ] {
            let (path, port, strict) = expected;
            assert_eq!(given(line), (path.to_owned(), port, strict), "{line}");
        }
    }

    #[test]
    fn refusals_have_the_original_words() {
        for (line, text) in [
            ("--bogus=1", "unknown flag: --bogus"),
            ("--proc x", "unknown flag: --proc"),
            ("-Sx", "unknown shorthand flag: 'x' in -x"),
            ("--procfile", "flag needs an argument: --procfile"),
            ("-Sd", "flag needs an argument: 'd' in -d"),
            ("---x", "bad flag syntax: ---x"),
            ("--=", "bad flag syntax: --="),
            ("-Sh", "help"),
            ("--help=1", "help"),
            (
                "-d 08",
                "invalid argument \"08\" for \"-d, --default-port\" flag: strconv.ParseInt: parsing \"08\": invalid syntax",
            ),
            (
                "--timeout=99999999999999999999",
                "invalid argument \"99999999999999999999\" for \"--timeout\" flag: strconv.ParseInt: parsing \"99999999999999999999\": value out of range",
            ),
            (
                "--strict=zz",
                "invalid argument \"zz\" for \"-S, --strict\" flag: strconv.ParseBool: parsing \"zz\": invalid syntax",
            ),
            ("x", "This command requires 0 arguments, 1 argument given: "),
            ("-- -S - x", "This command requires 0 arguments, 3 arguments given: "),
        ] {
            assert_eq!(refusal(line), text, "{line}");
        }
    }

    #[test]
    fn help_is_asked_for_unless_it_is_a_value() {
        for line in ["-h", "--help", "-S -help", "--bogus --help", "-P a -h", "-Pa -h"] {
            assert!(ask_for_help(FLAGS, &words(line)), "{line}");
        }
        for line in ["", "-P -h", "--procfile --help", "-SP -h", "-- -h", "-P=-h"] {
            assert!(!ask_for_help(FLAGS, &words(line)), "{line}");
        }
    }
}
