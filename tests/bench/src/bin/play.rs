//! The apps that supervisors are measured with, and what looks at them from outside.
//!
//! ```text
//! play announce FIFO              writes one byte into FIFO, then does nothing
//! play live STAMPS MS             notes when it starts, lives so long, notes when it ends, and kills itself
//! play write STAMPS LINES HOW     notes when it starts and writes lines of 100 bytes: by block, or line by line
//! play text BYTES WRITTEN         writes so many bytes of lines like those of a web server, makes the file WRITTEN, and goes
//!                                 on with ten lines a second
//! play listen MS                  listens on $PORT after so long
//! play grown BYTES FILE…          waits until the files have so many bytes together, and says when that was
//! play outage PORT                connects to PORT until stdin ends, and says for how long that did not work at most
//! play link FILE NAME…            gives a file these names as well
//! ```
//!
//! Times are microseconds since 1970: those of several processes are compared.

use std::env;
use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Signal, getpid, kill_process};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: play announce|live|write|text|listen|grown|outage|link ARGUMENTS; see its source";
/// Lines are numbered, so that one that is lost, doubled or moved is seen.
const LINE_BYTES: usize = 100;
const BLOCK_BYTES: usize = 64 * 1024;
/// How often it is looked whether files have grown, and whether something listens.
const LOOK: Duration = Duration::from_micros(500);

fn main() -> ExitCode {
    match run(env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "play: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut words: impl Iterator<Item = String>) -> Result<()> {
    let role = words.next().ok_or(USAGE)?;
    let mut word = || words.next().ok_or(USAGE);
    match role.as_str() {
        "announce" => announce(&word()?),
        "live" => live(&word()?, word()?.parse()?),
        "write" => write(&word()?, word()?.parse()?, word()? == "block"),
        "text" => text(word()?.parse()?, &word()?),
        "listen" => listen(word()?.parse()?),
        "grown" => grown(word()?.parse()?, &words.collect::<Vec<_>>()),
        "outage" => outage(word()?.parse()?),
        "link" => link(&word()?, words),
        _ => Err(USAGE.into()),
    }
}

fn now() -> Result<u128> {
    Ok(SystemTime::UNIX_EPOCH.elapsed()?.as_micros())
}

/// Appends a word and the time to a file.
fn stamp(file: &str, word: &str) -> Result<()> {
    let line = format!("{word} {}\n", now()?);
    Ok(OpenOptions::new().append(true).create(true).open(file)?.write_all(line.as_bytes())?)
}

fn rest() -> ! {
    loop {
        thread::sleep(Duration::from_secs(1 << 30));
    }
}

fn announce(fifo: &str) -> Result<()> {
    OpenOptions::new().write(true).open(fifo)?.write_all(b"x")?;
    rest();
}

fn live(stamps: &str, milliseconds: u64) -> Result<()> {
    stamp(stamps, "start")?;
    thread::sleep(Duration::from_millis(milliseconds));
    stamp(stamps, "end")?;
    Ok(kill_process(getpid(), Signal::KILL)?)
}

fn write(stamps: &str, lines: usize, by_block: bool) -> Result<()> {
    stamp(stamps, "start")?;
    let room = if by_block { BLOCK_BYTES } else { LINE_BYTES };
    // Nothing between this and write(2): a `Stdout` would write line by line in either case.
    let mut out = fs::File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut block = Vec::with_capacity(room + LINE_BYTES);
    for number in 0..lines {
        writeln!(block, "{number:0width$}", width = LINE_BYTES - 1)?;
        if block.len() >= room {
            out.write_all(&block)?;
            block.clear();
        }
    }
    out.write_all(&block)?;
    Ok(())
}

fn text(bytes: usize, written: &str) -> Result<()> {
    let mut out = fs::File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut block = Vec::with_capacity(2 * BLOCK_BYTES);
    let (mut numbers, mut so_far, mut line) = (Numbers(1), 0, 0);
    while so_far < bytes {
        block.clear();
        while block.len() < BLOCK_BYTES {
            line += 1;
            text_line(&mut block, line, &mut numbers)?;
        }
        out.write_all(&block)?;
        so_far += block.len();
    }
    fs::write(written, so_far.to_string())?;
    loop {
        thread::sleep(Duration::from_millis(100));
        block.clear();
        line += 1;
        text_line(&mut block, line, &mut numbers)?;
        out.write_all(&block)?;
    }
}

/// One line in twenty thousand is an error.
fn text_line(block: &mut Vec<u8>, line: u64, numbers: &mut Numbers) -> io::Result<()> {
    let (second, id, user, took) =
        (line / 5000, numbers.next(), numbers.next() % 50_000, numbers.next() % 900);
    let (minute, hour) = (second / 60 % 60, second / 3600 % 24);
    write!(block, "2026-11-27T{hour:02}:{minute:02}:{:02}.{:03}Z ", second % 60, line / 5 % 1000)?;
    if line.is_multiple_of(20_000) {
        return writeln!(block, "ERROR request={id:016x} upstream timed out after {took} ms");
    }
    let (item, status) = (numbers.next() % 9_000, 200 + numbers.next() % 5);
    writeln!(
        block,
        "INFO request={id:016x} method=GET path=/items/{item} status={status} user={user} took_ms={took}"
    )
}

/// Numbers without an order that is easily seen (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn listen(milliseconds: u64) -> Result<()> {
    thread::sleep(Duration::from_millis(milliseconds));
    let port: u16 = env::var("PORT")?.parse()?;
    for client in TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.incoming() {
        drop(client);
    }
    Ok(())
}

fn link(file: &str, mut names: impl Iterator<Item = String>) -> Result<()> {
    Ok(names.try_for_each(|name| fs::hard_link(file, name))?)
}

fn grown(bytes: u64, files: &[String]) -> Result<()> {
    let size = |file: &String| fs::metadata(file).map_or(0, |metadata| metadata.len());
    let begin = Instant::now();
    while files.iter().map(size).sum::<u64>() < bytes {
        if begin.elapsed() > Duration::from_secs(120) {
            return Err(format!("{} did not grow to {bytes} bytes", files.join(", ")).into());
        }
        thread::sleep(LOOK);
    }
    Ok(writeln!(io::stdout(), "{}", now()?)?)
}

fn outage(port: u16) -> Result<()> {
    let listener = thread::spawn(|| io::stdin().read_to_end(&mut Vec::new()));
    let (mut longest, mut last) = (Duration::ZERO, Instant::now());
    while !listener.is_finished() {
        let asked = Instant::now();
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            longest = longest.max(asked.duration_since(last));
            last = Instant::now();
        }
        thread::sleep(LOOK);
    }
    Ok(writeln!(io::stdout(), "{}", longest.as_micros())?)
}
