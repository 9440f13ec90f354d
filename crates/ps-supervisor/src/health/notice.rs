//! The messages of sd_notify(3): one datagram with an assignment on each line.

use std::time::Duration;

/// The longest status text that is kept, in characters.
const LONGEST_TEXT: usize = 200;

/// One assignment that a supervisor acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// `READY=1`.
    Ready,
    /// `RELOADING=1`.
    Reloading,
    /// `STOPPING=1`.
    Stopping,
    /// `WATCHDOG=1`.
    Alive,
    /// `WATCHDOG=trigger`.
    Trigger,
    /// `WATCHDOG_USEC`: the longest pause between two `WATCHDOG=1`; zero: no watchdog.
    Period(Duration),
    /// `EXTEND_TIMEOUT_USEC`, from now on.
    Extend(Duration),
    /// `MAINPID`.
    MainPid(u32),
    /// `X_FORMATION_PROGRAM_PID`: the process that people take for the instance, below the main one that sees to it.
    Program(u32),
    /// `STATUS`: a text for people.
    Says(String),
}

/// The assignments of a datagram in their order. Unknown and malformed ones are left out.
pub(crate) fn notices(datagram: &[u8]) -> Vec<Notice> {
    datagram.split(|byte| *byte == b'\n').filter_map(notice).collect()
}

fn notice(line: &[u8]) -> Option<Notice> {
    let end = line.iter().position(|byte| *byte == b'=')?;
    let value = &line[end + 1..];
    let is_yes = value == b"1";
    match &line[..end] {
        b"READY" => is_yes.then_some(Notice::Ready),
        b"RELOADING" => is_yes.then_some(Notice::Reloading),
        b"STOPPING" => is_yes.then_some(Notice::Stopping),
        b"WATCHDOG" if is_yes => Some(Notice::Alive),
        b"WATCHDOG" => (value == b"trigger").then_some(Notice::Trigger),
        b"WATCHDOG_USEC" => Some(Notice::Period(Duration::from_micros(number(value)?))),
        b"EXTEND_TIMEOUT_USEC" => Some(Notice::Extend(Duration::from_micros(number(value)?))),
        b"MAINPID" => pid(value).map(Notice::MainPid),
        b"X_FORMATION_PROGRAM_PID" => pid(value).map(Notice::Program),
        b"STATUS" => Some(Notice::Says(text(value))),
        _ => None,
    }
}

fn pid(value: &[u8]) -> Option<u32> {
    u32::try_from(number(value)?).ok().filter(|pid| *pid > 0)
}

fn number(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn text(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let plain = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_lines_of_assignments_and_what_makes_no_sense_is_passed_over() {
        let said = notices(
            b"READY=1\nSTATUS=all \x1b[1mwell\xff\nMAINPID=12\nWATCHDOG_USEC=1500000\nBARRIER=1\n\nX\n=\n",
        );
        let all = [
            Notice::Ready,
            Notice::Says("all  [1mwell\u{fffd}".to_owned()),
            Notice::MainPid(12),
            Notice::Period(Duration::from_millis(1500)),
        ];
        assert_eq!(said, all);
        for nothing in [
            &b""[..],
            b"READY=0",
            b"READY",
            b"ready=1",
            b"WATCHDOG=2",
            b"MAINPID=0",
            b"MAINPID=-1",
            b"MAINPID=99999999999",
            b"EXTEND_TIMEOUT_USEC=+1",
            b"WATCHDOG_USEC=18446744073709551616",
            b"FDSTORE=1",
            b"\xff\xfe=1",
        ] {
            assert_eq!(notices(nothing), [], "{nothing:?}");
        }
        assert_eq!(notices(b"WATCHDOG=trigger"), [Notice::Trigger]);
        let long = [&b"STATUS="[..], &[b'x'; 4096]].concat();
        assert_eq!(notices(&long), [Notice::Says("x".repeat(LONGEST_TEXT))]);
    }
}
