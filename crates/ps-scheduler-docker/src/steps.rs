//! Parses the output of the engine's classic builder, line by line: the present step, its output, and the images that
//! it has made.

/// How many of the last lines of a step are kept.
const LAST_LINES: usize = 10;
/// A longer line is cut, in characters.
const LONGEST_LINE: usize = 400;
const STEP: &str = "Step ";
const IMAGE: &str = " ---> ";
const CACHED: &str = "Using cache";
const RUNNING: &str = "Running in ";
const REMOVING: &str = "Removing intermediate container ";

/// The output so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Steps {
    /// The beginning of a line that is not complete yet.
    pending: String,
    /// The present step, such as `3/5 : RUN make`.
    pub(crate) step: Option<String>,
    /// The last lines of that step.
    pub(crate) last: LastLines,
    /// The images that this build has made, the first one first.
    pub(crate) made: Vec<String>,
    is_cached: bool,
}

impl Steps {
    /// Takes a part of the output, and passes on each whole line.
    pub(crate) fn hear(&mut self, text: &str, mut tell: impl FnMut(&str)) {
        self.pending.push_str(text);
        while let Some(end) = self.pending.find('\n') {
            let line: String = self.pending.drain(..=end).collect();
            let line = plain(line.trim_end());
            if !line.is_empty() {
                self.take(&line);
                tell(&line);
            }
        }
    }

    /// The image that the step starts from, if it names one.
    pub(crate) fn from(&self) -> Option<&str> {
        let (_, instruction) = self.step.as_deref()?.split_once(" : ")?;
        let mut words = instruction.split_whitespace();
        let is_from = words.next()?.eq_ignore_ascii_case("from");
        words.find(|word| !word.starts_with("--")).filter(|_| is_from)
    }

    fn take(&mut self, line: &str) {
        if let Some(step) = line.strip_prefix(STEP) {
            self.step = Some(step.to_owned());
            self.last = LastLines::default();
            self.is_cached = false;
        } else if let Some(what) = line.strip_prefix(IMAGE) {
            match what {
                CACHED => self.is_cached = true,
                what if what.starts_with(RUNNING) => {}
                // The image that a step starts from was not made by this build.
                id if !self.is_cached && self.from().is_none() => self.made.push(id.to_owned()),
                _ => {}
            }
        } else if !line.starts_with(REMOVING) {
            self.last.push(line.to_owned());
        }
    }
}

/// The last lines that a step wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastLines(Vec<String>);

impl LastLines {
    pub(crate) fn push(&mut self, line: String) {
        self.0.push(line);
        if self.0.len() > LAST_LINES {
            self.0.remove(0);
        }
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.0
    }
}

/// A line for a terminal, without control characters and of limited length.
pub(crate) fn plain(line: &str) -> String {
    // If a line was overwritten by carriage returns, its last state counts.
    let line = line.rsplit('\r').next().unwrap_or(line);
    let visible = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
    line.chars().take(LONGEST_LINE).map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_this_build_has_made_is_its_own() {
        let mut steps = Steps::default();
        let mut told = Vec::new();
        let said = "Step 1/4 : FROM --platform=linux/amd64 busybox AS a\n ---> d719a5177b47\nStep 2/4 : RUN one\n ---> Using cache\n ---> aaaaaaaaaaaa\nStep 3/4 : RUN two\n ---> Running in 0123456789ab\nhello\nRemoving intermediate container 0123456789ab\n ---> bbbbbbbbbbbb\nStep 4/4 : RUN exit 3\n ---> Running in 1123456789ab\n10%\r50%\rwo\u{7}rse\n";
        for piece in said.as_bytes().chunks(7) {
            steps.hear(std::str::from_utf8(piece).expect("ASCII"), |line| told.push(line.to_owned()));
        }
        assert_eq!(steps.made, ["bbbbbbbbbbbb"]);
        assert_eq!(steps.step.as_deref(), Some("4/4 : RUN exit 3"));
        assert_eq!(steps.last.lines(), ["wo\u{fffd}rse"]);
        assert_eq!(told.len(), said.lines().count());
        assert_eq!(steps.from(), None);
    }

    #[test]
    fn the_image_of_a_step_is_named() {
        let mut steps = Steps::default();
        steps.hear("Step 1/1 : FROM --platform=x shop:1 AS base\n", |_| {});
        assert_eq!(steps.from(), Some("shop:1"));
    }
}
