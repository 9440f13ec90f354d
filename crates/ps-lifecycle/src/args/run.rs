//! The arguments of the verbs that run a command once.

use formation::{ProcessType, Slot};
use type_settings::Span;

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// The app
    pub(crate) app: String,
    /// Run the command of this type, with its settings
    #[arg(value_name = "TYPE", conflicts_with = "command")]
    pub(crate) process_type: Option<ProcessType>,
    /// Run this command, each word exactly as it is
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
    /// A variable in addition to those of the app, or in place of one; can be repeated
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,
    /// Tell it to end after this long, 90s, 10m or 2h; SIGKILL follows after the grace period
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub(crate) timeout: Option<Span>,
    /// Do not wait for it; print its name. It has no input, and is ended after a day at the latest
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Give it pipes, although stdin is a terminal
    #[arg(short = 'T', long, conflicts_with = "detach")]
    pub(crate) no_tty: bool,
    /// This program waits for a detached one-off, which is called so.
    #[arg(long, hide = true, value_name = "NAME", conflicts_with = "detach")]
    pub(crate) behind: Option<Slot>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EnterArgs {
    /// The app
    pub(crate) app: String,
    /// The instance: web.1
    #[arg(value_name = "TYPE.N")]
    pub(crate) slot: Slot,
    /// Run this command, each word exactly as it is
    #[arg(trailing_var_arg = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
    /// Give it pipes, although stdin is a terminal
    #[arg(short = 'T', long)]
    pub(crate) no_tty: bool,
}

fn span(word: &str) -> Result<Span, String> {
    word.parse().map_err(|()| "a length of time is needed, such as 90s, 10m or 2h".to_owned())
}

fn variable(word: &str) -> Result<(String, String), String> {
    let (name, value) = word.split_once('=').ok_or("write NAME=VALUE")?;
    if name.is_empty() || word.contains('\0') {
        return Err("write NAME=VALUE".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}
