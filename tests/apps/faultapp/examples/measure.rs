//! Wall times of several commands, taken in turns so that whatever the machine does meanwhile hits all of them alike.
//!
//! `measure ROUNDS COMMAND… -- COMMAND…` prints the median of each in microseconds, one a line, in their order.
//! A command that fails ends it: a failure is often quick.

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

const WARM_UP: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let rounds: usize = arguments.next().ok_or("usage: measure ROUNDS COMMAND... -- COMMAND...")?.parse()?;
    let words: Vec<String> = arguments.collect();
    let commands: Vec<&[String]> = words.split(|word| word == "--").collect();
    let mut times = vec![Vec::with_capacity(rounds); commands.len()];
    for round in 0..rounds + WARM_UP {
        for (command, times) in commands.iter().zip(&mut times) {
            let micros = run(command)?;
            if round >= WARM_UP {
                times.push(micros);
            }
        }
    }
    let mut out = io::stdout().lock();
    for mut times in times {
        times.sort_unstable();
        writeln!(out, "{}", times.get(times.len() / 2).ok_or("no rounds, no median")?)?;
    }
    Ok(())
}

fn run(command: &[String]) -> Result<u128, Box<dyn Error>> {
    let (program, args) = command.split_first().ok_or("an empty command")?;
    let mut prepared = Command::new(program);
    prepared.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = prepared.status().map_err(|error| format!("{program}: {error}"))?;
    let micros = start.elapsed().as_micros();
    if status.success() { Ok(micros) } else { Err(format!("{}: {status}", command.join(" ")).into()) }
}
