//! The command line.

use std::ffi::OsString;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Result;
use clap::{ArgGroup, Parser};
use node_primary::Target;
use ps_cli::exit::Refusal;

/// Runs a Node program in several processes that share the ports it asks for
///
/// The program needs no change: where it calls listen(8000), ps-node listens, and hands each
/// connection to one of the processes, in turns. A process that dies is started again, and clients
/// wait meanwhile. This does not work for a program that is not a Node program, or that starts Node
/// indirectly (npm start): it listens by itself.
///
/// SIGHUP replaces the processes one by one: a new one listens before an old one is told to leave,
/// and the old one ends when its last connection has ended. No client notices. If the new one does
/// not listen, the old ones keep running. SIGTERM and SIGINT end it in the same way; a second one
/// ends it at once.
///
/// Each process gets its number, from 0 on, as NODE_APP_INSTANCE. If NOTIFY_SOCKET is set, READY=1 is
/// sent there when all listen.
///
/// Examples:
///   ps-node server.js
///   ps-node --instances 4 node --enable-source-maps server.js --verbose
///   ps-node --bind 8000=$PORT server.js
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
#[derive(Debug, Parser)]
#[command(name = "ps-node", version = ps_cli::VERSION, verbatim_doc_comment)]
#[command(group = ArgGroup::new("alone").args(["share", "own_ports"]))]
pub(crate) struct Args {
    /// How many processes; max: one for each CPU that may be used [default: WEB_CONCURRENCY, else max]
    #[arg(short, long, value_name = "N|max")]
    instances: Option<Instances>,

    /// The port to bind in place of one that the program asks for; can be repeated
    #[arg(short, long, value_name = "PORT=[ADDRESS:]PORT")]
    pub(crate) bind: Vec<Moved>,

    /// How long a new process may take until it listens
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    listen_limit: u32,

    /// How long open connections may continue after their process was told to leave
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain_limit: u32,

    /// A new process gets connections only after its program has called process.send('ready')
    #[arg(long)]
    pub(crate) wait_ready: bool,

    /// With --wait-ready, and --share or --own-ports: how long that may take; then the process counts as ready all the same
    #[arg(long, value_name = "SECONDS", requires_all = ["wait_ready", "alone"])]
    ready_limit: Option<u32>,

    /// Send the program the message 'shutdown' (process.on('message')) when its process is to leave
    #[arg(long)]
    pub(crate) shutdown_message: bool,

    /// Run one process, which shares its ports with every ps-node of this directory; ps-node ends with it
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "instances")]
    pub(crate) share: Option<PathBuf>,

    /// Run one process, which listens by itself; ps-node only exchanges messages with it, and ends with it
    #[arg(long, conflicts_with_all = ["instances", "share", "bind"])]
    pub(crate) own_ports: bool,

    /// With --share: send READY=1 only once the process listens, and not already after it has lived for a second
    #[arg(long, requires = "share")]
    pub(crate) must_listen: bool,

    /// With --share or --own-ports: write the pid of the process into this file, and remove it when the process has ended; can
    /// be repeated
    #[arg(long, value_name = "FILE", requires = "alone")]
    pub(crate) pid_file: Vec<PathBuf>,

    /// The program; a file that ends in .js, .mjs or .cjs is run by node
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The variable for the number of processes if no option sets it, as on Heroku.
const COUNT: &str = "WEB_CONCURRENCY";

impl Args {
    /// How many processes.
    ///
    /// # Errors
    /// The variable is no number.
    pub(crate) fn count(&self) -> Result<usize> {
        let told = std::env::var(COUNT).ok().filter(|told| !told.is_empty());
        let instances = match (self.instances, told) {
            (Some(instances), _) => instances,
            (None, None) => Instances::Max,
            (None, Some(told)) => {
                told.parse().map_err(|way_out| Refusal::usage(format!("{COUNT} is {told:?}: {way_out}")))?
            }
        };
        Ok(instances.count())
    }

    /// Refuses a program whose name begins with a hyphen: it is an option that is misspelt. What follows the program is its own.
    ///
    /// # Errors
    /// It begins with a hyphen.
    pub(crate) fn check(&self) -> Result<()> {
        match self.command.first().filter(|first| first.as_encoded_bytes().starts_with(b"-")) {
            None => Ok(()),
            Some(option) => Err(Refusal::usage(format!(
                "unknown option {}: see ps-node --help; a program of that name is started as ./{0}",
                option.display()
            ))),
        }
    }

    /// The program and its words.
    pub(crate) fn words(&self) -> Vec<OsString> {
        let is_script = self.command.first().is_some_and(|first| {
            let ending = Path::new(first).extension().and_then(|ending| ending.to_str());
            matches!(ending, Some("js" | "mjs" | "cjs"))
        });
        let node = is_script.then(|| "node".into());
        node.into_iter().chain(self.command.iter().cloned()).collect()
    }

    pub(crate) fn listen_limit(&self) -> Duration {
        Duration::from_secs(self.listen_limit.into())
    }

    pub(crate) fn ready_limit(&self) -> Option<Duration> {
        self.ready_limit.map(|seconds| Duration::from_secs(seconds.into()))
    }

    pub(crate) fn drain_limit(&self) -> Duration {
        Duration::from_secs(self.drain_limit.into())
    }
}

/// A number of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instances {
    /// One for each CPU.
    Max,
    /// This many.
    Number(NonZeroU16),
}

impl Instances {
    fn count(self) -> usize {
        match self {
            Self::Max => std::thread::available_parallelism().map_or(1, usize::from),
            Self::Number(number) => usize::from(number.get()),
        }
    }
}

impl FromStr for Instances {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "max" => Ok(Self::Max),
            _ => text.parse().map(Self::Number).map_err(|_| "use a number from 1 on, or max".to_owned()),
        }
    }
}

/// A port, and the address that is bound in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) port: u16,
    pub(crate) to: Target,
}

impl FromStr for Moved {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = |text: &str| text.parse::<NonZeroU16>().ok().map(NonZeroU16::get);
        let read = || {
            let (from, to) = text.split_once('=')?;
            let (address, number) = match to.rsplit_once(':') {
                Some((address, number)) => (Some(address), number),
                None => (None, to),
            };
            let address = match address {
                Some(address) => {
                    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
                    Some(bare.unwrap_or(address).parse::<IpAddr>().ok()?)
                }
                None => None,
            };
            Some(Self { port: port(from)?, to: Target { address, number: port(number)? } })
        };
        read().ok_or_else(|| "use two ports such as 8000=3000, or 8000=127.0.0.1:3000".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> Result<Args, String> {
        let all = ["ps-node"].iter().chain(words);
        Args::try_parse_from(all).map_err(|error| error.to_string())
    }

    #[test]
    fn a_script_is_run_by_node_and_the_rest_is_the_programs_own() {
        let words = |words: &[&str]| args(words).expect("they are right").words();
        assert_eq!(
            words(&["-i", "2", "a/server.js", "-i", "9", "--help"]),
            ["node", "a/server.js", "-i", "9", "--help"]
        );
        assert_eq!(words(&["node", "--inspect", "x.js"]), ["node", "--inspect", "x.js"]);
        assert_eq!(words(&["--", "./run"]), ["./run"]);
        assert!(args(&["-i", "2"]).is_err(), "there is no command");
        let refused = args(&["--instnces", "2", "x.js"]).expect("it may be a command").check();
        assert!(refused.expect_err("it is none").to_string().contains("unknown option --instnces"));
        assert!(args(&["x.js", "--own"]).expect("a command").check().is_ok());
    }

    #[test]
    fn a_port_is_moved_to_another_one_and_to_an_address() {
        let to =
            |text: &str| text.parse::<Moved>().map(|moved| (moved.port, moved.to.address, moved.to.number));
        assert_eq!(to("8000=3000"), Ok((8000, None, 3000)));
        assert_eq!(to("8000=127.0.0.1:3000"), Ok((8000, "127.0.0.1".parse().ok(), 3000)));
        assert_eq!(to("8000=[::1]:3000"), Ok((8000, "::1".parse().ok(), 3000)));
        for bad in ["", "8000", "8000=", "=3000", "0=1", "1=0", "1=70000", "x=1", "1=host:2", "8000=a:b:3"] {
            assert!(to(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn there_is_at_least_one_process() {
        assert!("max".parse::<Instances>().is_ok_and(|max| max.count() >= 1));
        assert_eq!("3".parse::<Instances>().map(Instances::count), Ok(3));
        for bad in ["0", "-1", "lots", "2.7", "3x", ""] {
            assert!(bad.parse::<Instances>().is_err(), "{bad}");
        }
    }
}
