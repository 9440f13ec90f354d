//! A command behind the ENTRYPOINT of an image. The engine puts ENTRYPOINT before whatever it is given, so a command that needs no shell is
//! given as its words: of `ENTRYPOINT ["python"]` and `web: app.py $PORT` comes `python app.py 5000`. A command that needs a shell is
//! given as `/bin/sh -c …`, which an ENTRYPOINT that executes its arguments runs.

use std::cell::Cell;

use ps_engine::{ContainerCreateBody, Image};

/// The same container with the words of its command, where the image has an ENTRYPOINT, the command needs no shell, and the values of
/// all its variables are known before it starts.
pub(crate) fn behind(body: ContainerCreateBody, command: &str, image: &Image) -> ContainerCreateBody {
    let is_replaced = body.entrypoint.is_some();
    if is_replaced || image.entrypoint.is_empty() {
        return body;
    }
    let own = body.env.as_deref().unwrap_or_default();
    match words(command, &[own, &image.environment]) {
        Some(words) => ContainerCreateBody { cmd: Some(words), ..body },
        None => body,
    }
}

/// The words of a command; `None` if it needs a shell, or a variable that is not known. Of equal names the first counts.
fn words(command: &str, environment: &[&[String]]) -> Option<Vec<String>> {
    let is_missing = Cell::new(false);
    let known = |name: &[u8]| {
        let name = std::str::from_utf8(name).ok()?;
        let mut all = environment.iter().flat_map(|pairs| pairs.iter());
        let value = all.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        is_missing.set(is_missing.get() || value.is_none());
        value.map(|value| value.as_bytes().to_vec())
    };
    let words = procfile::words(command, &known)?;
    let words = words.into_iter().map(|word| String::from_utf8(word).ok()).collect::<Option<Vec<_>>>()?;
    (!is_missing.get()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_needs_no_shell_becomes_words_with_the_values_that_are_known() {
        let own = ["PORT=5000".to_owned(), "A=x y".to_owned()];
        let image = ["A=of the image".to_owned(), "HOME=/srv".to_owned()];
        let of = |command: &str| words(command, &[&own, &image]);
        let texts = |list: &[&str]| Some(list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(of("app.py -p $PORT \"$A\" ${HOME}/x"), texts(&["app.py", "-p", "5000", "x y", "/srv/x"]));
        assert_eq!(of("app.py $SET_BY_THE_ENTRYPOINT"), None);
        assert_eq!(of("a && b"), None);
    }
}
