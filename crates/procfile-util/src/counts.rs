//! `--formation`: how many instances of each type; `all` stands for the types that are not named.

use anyhow::{Result, bail};
use formation::RELEASE;
use procfile::Procfile;
use procfile_exchange::export::MAX_INSTANCES;

/// Counts in the order in which they were given; a later one takes precedence.
pub(crate) struct Counts(Vec<(String, u16)>);

impl Counts {
    /// Reads `web=2,worker=1`.
    pub(crate) fn parse(word: &str) -> Result<Self> {
        let mut counts = Vec::new();
        for piece in word.split(',') {
            let parts: Vec<&str> = piece.split('=').collect();
            let [name, count] = parts[..] else { bail!("invalid formation: {piece}") };
            counts.push((name.to_owned(), amount(piece, count)?));
        }
        Ok(Self(counts))
    }

    /// Refuses a type that the Procfile does not have.
    pub(crate) fn refuse_unknown(&self, procfile: &Procfile) -> Result<()> {
        match self.0.iter().find(|(name, _)| name != "all" && procfile.get(name).is_none()) {
            Some((name, _)) => bail!("invalid formation: {name}: no such process type"),
            None => Ok(()),
        }
    }

    /// The count of a type: its own, else that of `all`, else 0. `all` does not include `release`, which runs once
    /// and ends: it is exported as a service only if it is named.
    pub(crate) fn of(&self, name: &str) -> u16 {
        let of_all = || if name == RELEASE { None } else { self.named("all") };
        self.named(name).or_else(of_all).unwrap_or(0)
    }

    /// The count for a name: a type that is named, or `all`.
    pub(crate) fn named(&self, wanted: &str) -> Option<u16> {
        self.0.iter().rev().find(|(name, _)| name == wanted).map(|(_, count)| *count)
    }
}

fn amount(piece: &str, count: &str) -> Result<u16> {
    let digits = count.strip_prefix(['+', '-']).unwrap_or(count);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let quoted = crate::quote::double(count.as_bytes());
        bail!("invalid formation: strconv.Atoi: parsing {quoted}: invalid syntax");
    }
    if count.parse::<i64>().is_err() {
        let quoted = crate::quote::double(count.as_bytes());
        bail!("invalid formation: strconv.Atoi: parsing {quoted}: value out of range");
    }
    let digits = digits.trim_start_matches('0');
    match digits {
        "" => Ok(0),
        _ if count.starts_with('-') => bail!("invalid formation: {piece}: a count must not be negative"),
        digits => match digits.parse() {
            Ok(amount) if amount <= MAX_INSTANCES => Ok(amount),
            _ => bail!("invalid formation: {piece}: {MAX_INSTANCES} instances of a type at most"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(word: &str) -> String {
        Counts::parse(word).err().expect("refused").to_string()
    }

    #[test]
    fn the_own_count_wins_over_all_and_the_last_over_earlier_ones() {
        let counts = Counts::parse("all=2,web=1,web=+3,x=00").expect("legal");
        assert_eq!((counts.of("web"), counts.of("x"), counts.of("worker")), (3, 0, 2));
        assert_eq!(Counts::parse("web=1").expect("legal").of("worker"), 0);
        assert_eq!(Counts::parse("all=2").expect("legal").of("release"), 0);
        assert_eq!(Counts::parse("all=2,release=1").expect("legal").of("release"), 1);
    }

    #[test]
    fn refusals_have_the_original_words() {
        assert_eq!(refusal(""), "invalid formation: ");
        assert_eq!(refusal("web=1,"), "invalid formation: ");
        assert_eq!(refusal("web=1=2"), "invalid formation: web=1=2");
        assert_eq!(refusal("web=x"), "invalid formation: strconv.Atoi: parsing \"x\": invalid syntax");
        assert_eq!(refusal("web= 1"), "invalid formation: strconv.Atoi: parsing \" 1\": invalid syntax");
        let huge = "99999999999999999999";
        let words = format!("invalid formation: strconv.Atoi: parsing \"{huge}\": value out of range");
        assert_eq!(refusal(&format!("web={huge}")), words);
        assert!(refusal("web=-1").contains("negative"));
        assert!(refusal("web=1001").contains("1000"));
    }
}
