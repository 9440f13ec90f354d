//! `--canary`: whether a new release is compared with the earlier one before it takes over.

use std::time::Duration;

use ps_rollout::Canary;

/// The longest comparison, in seconds.
const LONGEST: u64 = 24 * 3600;

// The options of `deploy` about that.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct CanaryArgs {
    /// First send this share of new connections, such as 5%, to the new release, and an equal share to new instances of the earlier
    /// one, and compare them; less than 50%. The new release takes over if it fails no more often. Otherwise, and if there are too
    /// few connections, the earlier one stays (exit status 1), before the time is over if the difference is beyond chance
    #[arg(long, value_name = "PERCENT", value_parser = share, requires = "lasts")]
    canary: Option<u16>,
    /// With --canary: for how long, such as 90s, 2m or 1h
    #[arg(long = "for", value_name = "TIME", value_parser = time, requires = "canary")]
    lasts: Option<Duration>,
    /// With --canary, for an app with --http: how much more often requests to the new release may fail, such as 0.5%
    #[arg(long, value_name = "PERCENT", value_parser = percent, requires = "canary")]
    pub(crate) max_error_delta: Option<u16>,
}

impl CanaryArgs {
    /// The comparison that was asked for, if any.
    pub(crate) fn wanted(self) -> Option<Canary> {
        let (share, lasts) = self.canary.zip(self.lasts)?;
        Some(Canary { share, lasts, most_worse: self.max_error_delta.unwrap_or(0) })
    }
}

fn share(word: &str) -> Result<u16, String> {
    let share = percent(word)?;
    if Canary::is_share(share) {
        return Ok(share);
    }
    Err("more than 0% and less than 50% is needed: the control instances get as much".to_owned())
}

/// `0.5%` as hundredths of a percent; the sign % may be missing.
fn percent(word: &str) -> Result<u16, String> {
    let wrong = || "a percentage with two decimals at most is needed, such as 0.5%".to_owned();
    let number = word.strip_suffix('%').unwrap_or(word);
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(decimals) || decimals.len() > 2 {
        return Err(wrong());
    }
    let hundredths: u16 = format!("{decimals:0<2}").parse().map_err(|_| wrong())?;
    let all = whole.parse::<u16>().ok().and_then(|whole| whole.checked_mul(100)?.checked_add(hundredths));
    all.filter(|all| *all <= 10_000).ok_or_else(|| "100% at most is possible".to_owned())
}

/// A number of seconds, minutes or hours.
fn time(word: &str) -> Result<Duration, String> {
    let wrong = || "a time such as 90s, 2m or 1h is needed".to_owned();
    let (number, unit) = word.split_at_checked(word.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = number.saturating_mul(unit);
    if (1..=LONGEST).contains(&seconds) {
        return Ok(Duration::from_secs(seconds));
    }
    Err("one second at least and 24h at most are possible".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_read_to_a_hundredth_and_times_with_their_unit() {
        for (word, hundredths) in [("5%", 500), ("0.5%", 50), ("0.05", 5), ("12.34%", 1234), ("100%", 10_000)]
        {
            assert_eq!(percent(word), Ok(hundredths), "{word}");
        }
        for word in ["", "%", "5 %", "-1%", "0.005%", "1.%", ".5%", "+5%", "101%", "99999%", "1e1"] {
            assert!(percent(word).is_err(), "{word}");
        }
        assert!(share("49.99%").is_ok() && share("50%").is_err() && share("0%").is_err());
        for (word, seconds) in [("90s", 90), ("2m", 120), ("1h", 3600), ("24h", LONGEST)] {
            assert_eq!(time(word), Ok(Duration::from_secs(seconds)), "{word}");
        }
        for word in ["", "2", "m", "0s", "25h", "2µ", "2 m", "99999999999999999999h", "18446744073709551615h"]
        {
            assert!(time(word).is_err(), "{word}");
        }
    }
}
