//! Lines that say which variable is wanted, in whatever words: `SHOP_TOKEN is not set`, `missing environment variable: SHOP_TOKEN`.

/// What is said of a variable behind its name.
const BEHIND: [&str; 14] = [
    "not set",
    "is required",
    "required",
    "is missing",
    "missing",
    "must be set",
    "must be defined",
    "must be given",
    "must be provided",
    "not defined",
    "undefined",
    "not provided",
    "is empty",
    "not found",
];
/// What is said before its name.
const BEFORE: [&str; 8] =
    ["missing", "undefined", "required", "please set", "must set", "not set", "key not found", "not found"];
/// At most so many characters lie between the name and what is said of it: `SHOP_TOKEN environment variable is not set`.
const NEAR: usize = 30;

/// Whether a line says that a variable is wanted. That it must be one of several values is no such word.
pub(super) fn is_wanted(line: &str) -> bool {
    if is_of_shell(line) {
        return true;
    }
    // "(GIT_DISCOVERY_ACROSS_FILESYSTEM not set)" behind a sentence says which switch the program has, and not what it lacks.
    let aside = |part| match str::split_once(part, " not set)") {
        Some((name, rest)) if !name.contains(' ') => rest,
        _ => part,
    };
    let line = line.split('(').map(aside).collect::<Vec<_>>().join("(");
    names(&line).any(|(begin, end)| {
        let before = line[..begin].to_ascii_lowercase();
        let behind = line[end..].to_ascii_lowercase();
        let is_near = |rest: &str| rest.len() <= NEAR;
        // `SHOP_CODE is required by customs` is a sentence about something else.
        let is_said = |(between, rest): (&str, &str)| is_near(between) && !rest.starts_with(" by ");
        BEHIND.iter().any(|word| behind.split_once(word).is_some_and(is_said))
            || BEFORE.iter().any(|word| before.rsplit_once(word).is_some_and(|(_, between)| is_near(between)))
    })
}

/// Whether a shell says what stands in `${SHOP:?it must be given}`, in words of the script's own: `run.sh: 2: SHOP: it must be given`.
fn is_of_shell(line: &str) -> bool {
    let fields: Vec<&str> = line.trim().splitn(4, ": ").collect();
    let [_, place, name, says] = fields[..] else { return false };
    let number = place.strip_prefix("line ").unwrap_or(place);
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let is_of_program =
        ["not found", "no such file", "permission denied", "is a directory", "cannot execute"];
    is_number && is_name && !is_of_program.iter().any(|words| says.to_lowercase().contains(words))
}

/// Where words stand that are written like the name of a variable. A constant of a runtime is written like one, and is none.
fn names(line: &str) -> impl Iterator<Item = (usize, usize)> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let mut next = 0;
    line.split_inclusive(move |c| !is_of_name(c)).filter_map(move |part| {
        let begin = next;
        next += part.len();
        let word = part.trim_end_matches(|c| !is_of_name(c));
        let is_name = word.len() > 3
            && word.contains('_')
            && word.bytes().all(is_upper)
            && word.starts_with(char::is_alphabetic)
            && !word.starts_with("ERR_");
        is_name.then_some((begin, begin + word.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::is_wanted;

    #[test]
    fn a_variable_is_wanted_only_if_what_is_said_is_said_of_it() {
        for wanted in [
            "Error: SHOP_TOKEN is not set",
            "SHOP_TOKEN environment variable is required",
            "missing required environment variable: SHOP_TOKEN",
            "sh: 1: SHOP_TOKEN: parameter not set",
            "key not found: \"SHOP_TOKEN\" (KeyError)",
            "Please set SHOP_TOKEN",
            "bash: line 1: SHOP: must be given",
        ] {
            assert!(is_wanted(wanted), "{wanted}");
        }
        for other in [
            "SHOP_REGION must be eu or us, not \"mars\"",
            "SHOP_MODE=strict, and the file that holds the prices of each region is missing",
            "Error [ERR_NOT_FOUND]: it is missing",
            "Stopping at a boundary (GIT_DISCOVERY_ACROSS_FILESYSTEM not set).",
            "a token is not set",
            "run.sh: line 4: MAKE: command not found",
            "SHOP_CODE is required by customs",
        ] {
            assert!(!is_wanted(other), "{other}");
        }
    }
}
