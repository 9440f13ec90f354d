//! The command line. No flag shows what the policy masks, except `--show-commands`, whose help says so.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use redact::{Policy, Style};

/// Makes the output of `docker inspect` safe to paste: the same JSON, without secrets.
///
/// A value is shown only if a list of known places and shapes permits it and a scan finds no credential in it. Every other
/// value becomes a placeholder such as [redacted:env:3]; equal values get equal numbers. On any error nothing is printed.
#[derive(Debug, Parser)]
#[command(
    version = ps_cli::VERSION,
    after_help = "Examples:\n  docker inspect web | ps-inspect-sanitize\n  ps-lifecycle inspect blog | ps-inspect-sanitize\n  \
                  ps-inspect-sanitize --check report.json      # exit 1 if anything would be masked\n\n\
                  Read the result before you post it: a secret that is used as a name looks like a name.\n\
                  Exit status: 0 done, 1 failed (or --check found something), 2 wrong usage."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Args {
    /// The document; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) file: PathBuf,
    /// Print as Dokku's ps:inspect does: every masked string becomes XXXXXX. It does not change what is masked
    #[arg(long, value_enum)]
    pub(crate) compat: Option<Compat>,
    /// Show words of command lines unless they look like credentials or follow the name of a secret
    #[arg(long)]
    show_commands: bool,
    /// Also mask names: of containers, images, networks, volumes, hosts, users, directories
    #[arg(long)]
    hide_names: bool,
    /// Print only [redacted], so that nobody can see which values are equal
    #[arg(long)]
    no_correlate: bool,
    /// Also mask e-mail addresses, public IP addresses and card numbers
    #[arg(long)]
    pii: bool,
    /// Refuse input of more than this many bytes
    #[arg(long, value_name = "N", default_value_t = 64 * 1024 * 1024, value_parser = clap::value_parser!(u64).range(1..1 << 32))]
    pub(crate) max_bytes: u64,
    /// Print on stderr which places were masked and why, never a masked value
    #[arg(long)]
    explain: bool,
    /// Print nothing; exit 1 if anything would be masked
    #[arg(long)]
    pub(crate) check: bool,
    /// One indented document, or one document a line [default: as the input]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
}

/// The program whose output the result looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compat {
    /// Dokku's `ps:inspect`
    Dokku,
}

/// How the output is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Indented by four blanks; several documents become an array
    Json,
    /// One document a line
    Jsonl,
}

impl Args {
    pub(crate) fn policy(&self) -> Policy {
        let style = match (self.compat, self.no_correlate) {
            (Some(Compat::Dokku), _) => Style::Dokku,
            (None, true) => Style::Bare,
            (None, false) => Style::Numbered,
        };
        Policy {
            style,
            show_commands: self.show_commands,
            hide_names: self.hide_names,
            pii: self.pii,
            explain: self.explain,
        }
    }
}
