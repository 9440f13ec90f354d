//! The ways in which a process may end.

use std::fmt;
use std::str::FromStr;

use formation::{Exit, SignalName};

/// A list of exit statuses and signals: `3`, `75,SIGTERM`, `SIGHUP SIGINT`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exits(Vec<Exit>);

impl Exits {
    /// Whether an exit is one of them.
    pub fn include(&self, exit: Exit) -> bool {
        self.0.contains(&exit)
    }
}

impl FromStr for Exits {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        let exits: Vec<Exit> = words.map(exit).collect::<Result<_, ()>>()?;
        if exits.is_empty() { Err(()) } else { Ok(Self(exits)) }
    }
}

/// A number is a status; only a name is a signal.
fn exit(word: &str) -> Result<Exit, ()> {
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return word.parse::<u8>().map(|status| Exit::Code(status.into())).map_err(|_| ());
    }
    word.parse::<SignalName>().map(|signal| Exit::Signal(signal.number().into())).map_err(|_| ())
}

impl fmt::Display for Exits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, exit) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match exit {
                Exit::Code(status) => write!(f, "{comma}{status}")?,
                Exit::Signal(number) => {
                    let name = number.to_string().parse::<SignalName>().expect("it was read from a name");
                    write!(f, "{comma}{name}")?;
                }
            }
        }
        Ok(())
    }
}
