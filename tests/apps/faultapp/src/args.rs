//! What the process can be asked to do. Every duration is in milliseconds unless its name says seconds.

use std::time::Duration;

use clap::Parser;

/// A small HTTP server that can also misbehave.
///
/// It lives until TERM (or INT), or until --exit-after. Where it was asked for nothing that lasts (only --say, or
/// a fixed number of --log-lines), it ends by itself once that is written, with --exit-code.
#[derive(Debug, Parser)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own, and any mixture is a fault to test"
)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Args {
    /// Serve HTTP on this port ($PORT where none is given): / greets, /health is 200, /pid is the process id
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "$PORT", value_parser = Port::parse)]
    pub(crate) listen: Option<Port>,
    /// Serve on this address
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", requires = "listen")]
    pub(crate) bind: std::net::IpAddr,
    /// Open the port only after so many milliseconds
    #[arg(long, value_name = "MS", value_parser = milliseconds, requires = "listen")]
    pub(crate) listen_after: Option<Duration>,
    /// Answer every request with this status
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(100..=599), requires = "listen")]
    pub(crate) answer: Option<u16>,
    /// Wait so long before each answer
    #[arg(long, value_name = "MS", value_parser = milliseconds, requires = "listen")]
    pub(crate) answer_after: Option<Duration>,
    /// Serve HTTPS with a certificate of its own, made anew at each start
    #[arg(long, requires = "listen")]
    pub(crate) tls: bool,
    /// Serve one request after another on a connection, with bodies and websockets: /echo/N answers with N, the process
    /// id, and the body
    #[arg(long, requires = "listen", conflicts_with_all = ["answer", "answer_after", "tls", "accept_and_hang"])]
    pub(crate) keep_alive: bool,
    /// Accept connections and reset each of them once something is asked
    #[arg(long, requires = "listen", conflicts_with_all = ["keep_alive", "accept_and_hang"])]
    pub(crate) reset: bool,
    /// Accept connections and never answer
    #[arg(long, requires = "listen")]
    pub(crate) accept_and_hang: bool,

    /// Print this line first
    #[arg(long, value_name = "TEXT")]
    pub(crate) say: Option<String>,
    /// Print a numbered line every so many seconds (fractions allowed), as a worker would
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) tick: Option<Duration>,
    /// Print numbered lines at this rate; without --log-lines, for ever
    #[arg(long, value_name = "LINES_PER_SECOND", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) log_rate: Option<u32>,
    /// Print this many numbered lines; without --log-rate, as fast as they are read
    #[arg(long, value_name = "N")]
    pub(crate) log_lines: Option<u64>,
    /// Put every byte but the newline into each of these lines
    #[arg(long)]
    pub(crate) log_binary: bool,
    /// Print these lines on stderr
    #[arg(long)]
    pub(crate) log_stderr: bool,

    /// Do not end on TERM, and say so each time
    #[arg(long)]
    pub(crate) ignore_term: bool,
    /// End by itself after so many milliseconds
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    pub(crate) exit_after: Option<Duration>,
    /// Exit status when it ends by itself
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) exit_code: u8,
    /// Start a family: FANOUT children, each with FANOUT children, DEPTH generations deep; they inherit
    /// --ignore-term and --exit-after
    #[arg(long, num_args = 2, value_names = ["DEPTH", "FANOUT"])]
    pub(crate) fork_tree: Option<Vec<u32>>,
    /// Each child forks twice and calls setsid, so that no parent and no group leads to it
    #[arg(long, requires = "fork_tree")]
    pub(crate) setsid: bool,
    /// Start the family from a session of its own, then end: the second fork of --setsid
    #[arg(long, hide = true)]
    pub(crate) detach: bool,
    /// Keep so many mebibytes of touched memory
    #[arg(long, value_name = "MIB")]
    pub(crate) alloc: Option<usize>,
    /// Give up stdin, stdout and stderr (they become /dev/null)
    #[arg(long)]
    pub(crate) close_fds: bool,
    /// Tell whoever started it that it is ready (`READY=1`) after so many milliseconds
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    pub(crate) ready_after: Option<Duration>,
}

/// Where a port comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Port {
    Given(u16),
    FromEnvironment,
}

impl Port {
    fn parse(text: &str) -> Result<Self, std::num::ParseIntError> {
        if text == "$PORT" { Ok(Self::FromEnvironment) } else { text.parse().map(Self::Given) }
    }
}

impl Args {
    /// Whether anything that was asked for goes on until somebody ends it.
    pub(crate) fn lasts(&self) -> bool {
        let endless_log = self.log_rate.is_some() && self.log_lines.is_none();
        let waits = self.listen.is_some() || self.tick.is_some() || self.exit_after.is_some();
        let holds = self.alloc.is_some() || self.fork_tree.is_some() || self.ready_after.is_some();
        endless_log || waits || holds || self.ignore_term || self.close_fds
    }
}

fn milliseconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_millis)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(number) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("must be above 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn only_what_lasts_keeps_the_process_alive() {
        let lasts = |line: &str| {
            Args::try_parse_from(format!("faultapp {line}").split(' '))
                .expect("these flags are valid")
                .lasts()
        };
        assert!(!lasts("--say hello"));
        assert!(!lasts("--log-lines 3 --log-rate 10"));
        assert!(lasts("--log-rate 10"));
        assert!(lasts("--listen"));
        assert!(lasts("--exit-after 5"));
    }
}
