//! The command and the variables of a container of a release, for every engine. Pure.

use std::cell::Cell;
use std::fmt;

use formation::{FIRST_TYPE, ProcessType, Slot};

use crate::Release;

const WEB_PORT: u16 = 5000;

/// The port that an instance is to listen on: 5000 for `web`, since each instance has its own network; `None` for other
/// types.
pub fn port(process_type: &ProcessType) -> Option<u16> {
    (process_type.as_str() == FIRST_TYPE).then_some(WEB_PORT)
}

/// The variables of every instance of a type, each as `NAME=value`: those of the app, and `PORT`.
pub fn variables(release: &Release, process_type: &ProcessType) -> Vec<String> {
    let port = port(process_type);
    let own = |key: &str| key == "DYNO" || key == "PORT" && port.is_some();
    let app = release.env.iter().filter(|(key, _)| !own(key)).map(|(key, value)| format!("{key}={value}"));
    app.chain(port.map(|port| format!("PORT={port}"))).collect()
}

/// The variables of one instance: those of its type, and its name in `DYNO`.
pub fn environment(release: &Release, slot: &Slot) -> Vec<String> {
    let mut all = variables(release, &slot.process_type);
    all.push(format!("DYNO={slot}"));
    all
}

/// Why `name` cannot be given its variables; `None` if it can. Some shells drop a variable whose name is not valid in the shell,
/// such as `MY-KEY`, and it is unknown which shell an image has. So with such a variable the command must be one that needs no
/// shell.
pub fn refusal(
    release: &Release,
    environment: &[String],
    command: &str,
    name: &dyn fmt::Display,
) -> Option<String> {
    let variable = odd_name(release)?;
    directly(environment, command).is_none().then(|| {
        format!(
            "the variable {variable} cannot reach {name}, because its command needs a shell, which may drop the name: rename it, or put the command into a script and name that"
        )
    })
}

/// The words that a container runs: `/bin/sh -c <command>`; or the command's own words, without a shell, if there is a
/// variable whose name a shell may drop.
pub fn words(release: &Release, environment: &[String], command: &str) -> Vec<String> {
    let direct = odd_name(release).and_then(|_| directly(environment, command));
    direct.unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned(), procfile::shell_script(command)])
}

/// The words of a command for the ENTRYPOINT of an image; `None` if it needs a shell, or a variable that none of these
/// environments has. Of equal names the first is used.
///
/// An engine puts ENTRYPOINT before the words that it gets: `ENTRYPOINT ["python"]` and `web: app.py $PORT` give `python app.py
/// 5000`. A command that needs a shell is given as `/bin/sh -c …`, which works with an ENTRYPOINT that executes its arguments.
pub fn words_behind_entrypoint(command: &str, environments: &[&[String]]) -> Option<Vec<String>> {
    let is_missing = Cell::new(false);
    let known = |name: &[u8]| {
        let value = environments.iter().find_map(|environment| value(environment, name));
        is_missing.set(is_missing.get() || value.is_none());
        value
    };
    let words = texts(procfile::words(command, &known)?)?;
    (!is_missing.get()).then_some(words)
}

fn directly(environment: &[String], command: &str) -> Option<Vec<String>> {
    // If the instance gets its name later, the value is not known here.
    let is_named_later = Cell::new(false);
    let known = |name: &[u8]| {
        let value = value(environment, name);
        is_named_later.set(is_named_later.get() || name == b"DYNO" && value.is_none());
        value
    };
    let words = texts(procfile::words(command, &known)?)?;
    (!is_named_later.get()).then_some(words)
}

fn value(environment: &[String], name: &[u8]) -> Option<Vec<u8>> {
    let name = std::str::from_utf8(name).ok()?;
    let mut all = environment.iter();
    let value = all.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    value.map(|value| value.as_bytes().to_vec())
}

fn texts(words: Vec<Vec<u8>>) -> Option<Vec<String>> {
    words.into_iter().map(|word| String::from_utf8(word).ok()).collect()
}

/// The first variable whose name no shell could have set.
fn odd_name(release: &Release) -> Option<&str> {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let is_plain = |name: &str| {
        name.bytes().next().is_some_and(is_letter)
            && name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit())
    };
    release.env.iter().map(|(name, _)| name.as_str()).find(|name| !is_plain(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_needs_no_shell_becomes_words_with_the_values_that_are_known() {
        let own = ["PORT=5000".to_owned(), "A=x y".to_owned()];
        let image = ["A=of the image".to_owned(), "HOME=/srv".to_owned()];
        let of = |command: &str| words_behind_entrypoint(command, &[&own, &image]);
        let texts = |list: &[&str]| Some(list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(of("app.py -p $PORT \"$A\" ${HOME}/x"), texts(&["app.py", "-p", "5000", "x y", "/srv/x"]));
        assert_eq!(of("app.py $SET_BY_THE_ENTRYPOINT"), None);
        assert_eq!(of("a && b"), None);
    }
}
