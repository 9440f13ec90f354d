//! A family of processes, each a fresh start of this program, for those who must prove that none escapes them.

use std::env;
use std::io;
use std::process::{self, Command, Stdio};

use crate::args::Args;
use crate::say;

/// Starts the children that `args` ask for; a leaf (depth 0) starts none.
pub(crate) fn start(args: &Args) -> io::Result<()> {
    let Some((depth, fanout)) = shape(args) else { return Ok(()) };
    say::line(&format!("{}: pid {}, {depth} generations below", say::name(), process::id()))?;
    if depth == 0 {
        return Ok(());
    }
    for _ in 0..fanout {
        let mut child = descendant(args, depth - 1, fanout)?;
        if args.setsid {
            // The one in the middle leaves its session and is gone before its child has begun.
            child.arg("--detach").status()?;
        } else {
            // Never waited for: a parent that leaves zombies is part of the misbehaviour.
            drop(child.spawn()?);
        }
    }
    Ok(())
}

/// The middle of a double fork: a new session, then the same command again without this step.
pub(crate) fn detach(args: &Args) -> io::Result<()> {
    rustix::process::setsid()?;
    let Some((depth, fanout)) = shape(args) else { return Ok(()) };
    descendant(args, depth, fanout)?.spawn().map(drop)
}

fn shape(args: &Args) -> Option<(u32, u32)> {
    match args.fork_tree.as_deref() {
        Some(&[depth, fanout]) => Some((depth, fanout)),
        _ => None,
    }
}

fn descendant(args: &Args, depth: u32, fanout: u32) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("--fork-tree").args([depth.to_string(), fanout.to_string()]);
    if args.setsid {
        command.arg("--setsid");
    }
    if args.ignore_term {
        command.arg("--ignore-term");
    }
    if let Some(after) = args.exit_after {
        command.arg("--exit-after").arg(after.as_millis().to_string());
    }
    command.stdin(Stdio::null());
    Ok(command)
}
