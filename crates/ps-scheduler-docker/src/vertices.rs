//! Formats BuildKit's progress messages as lines: `#2 [build 2/4] RUN make`, the output of the step as `#2 …`, and how
//! it ended. Steps run at the same time, so each line has the number of its step.

use std::collections::BTreeMap;
use std::mem;

use ps_engine::{Trace, Vertex, VertexOutput, VertexState};

use crate::steps::{LastLines, plain};

/// Internal steps of BuildKit, which it reports with the others.
const OWN_BUSINESS: [&str; 2] = ["[internal] ", "copy /context /"];
/// The prefixes of steps that look for an image; the name of the image follows.
const LOOKS_FOR: [&str; 2] = ["[internal] load metadata for ", "resolve image config for "];

/// The reports so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vertices {
    /// The steps, by their digests.
    known: BTreeMap<String, Known>,
    numbers: usize,
    /// The step that failed first.
    failed: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    /// The number of the step, from 1, in the order in which steps began; `None` if it has not begun, or is internal.
    number: Option<usize>,
    name: String,
    has_ended: bool,
    /// Incomplete lines, by stream.
    pending: BTreeMap<i64, String>,
    last: LastLines,
}

impl Vertices {
    /// Takes a trace, and passes on a line for each new event in it.
    pub(crate) fn hear(&mut self, trace: &Trace, mut tell: impl FnMut(&str)) {
        let (ended, others): (Vec<_>, Vec<_>) =
            trace.vertices.iter().partition(|vertex| has_ended(&vertex.state));
        let is_of_ended = |output: &&VertexOutput| ended.iter().any(|vertex| vertex.digest == output.vertex);
        let (last, outputs): (Vec<_>, Vec<_>) = trace.outputs.iter().partition(is_of_ended);
        for (vertices, outputs) in [(&ended, last), (&others, outputs)] {
            for vertex in vertices {
                self.begin(vertex, &mut tell);
            }
            for output in outputs {
                self.write(output, &mut tell);
            }
            for vertex in vertices {
                self.end(vertex, &mut tell);
            }
        }
    }

    /// The step that failed: `[2/3] RUN make`.
    pub(crate) fn step(&self) -> Option<&str> {
        self.failed().map(|known| known.name.as_str())
    }

    /// The last lines that the failed step wrote.
    pub(crate) fn last(&self) -> &[String] {
        self.failed().map_or(&[], |known| known.last.lines())
    }

    /// The image that could not be pulled, if that is the reason of the failure.
    pub(crate) fn from(&self) -> Option<&str> {
        let name = &self.failed()?.name;
        let image = LOOKS_FOR.iter().find_map(|prefix| name.strip_prefix(prefix))?;
        Some(image.strip_prefix("docker-image://").unwrap_or(image))
    }

    fn failed(&self) -> Option<&Known> {
        self.known.get(self.failed.as_ref()?)
    }

    fn begin(&mut self, vertex: &Vertex, tell: &mut impl FnMut(&str)) {
        let known = self.known.entry(vertex.digest.clone()).or_default();
        if known.name.is_empty() {
            known.name = plain(&vertex.name.replace('\n', " "));
        }
        let is_told = !OWN_BUSINESS.iter().any(|prefix| known.name.starts_with(prefix));
        if known.number.is_none() && vertex.state != VertexState::Waiting && is_told {
            self.numbers += 1;
            known.number = Some(self.numbers);
            tell(&format!("#{} {}", self.numbers, known.name));
        }
    }

    fn write(&mut self, output: &VertexOutput, tell: &mut impl FnMut(&str)) {
        let known = self.known.entry(output.vertex.clone()).or_default();
        let pending = known.pending.entry(output.stream).or_default();
        pending.push_str(&String::from_utf8_lossy(&output.bytes));
        let Some(end) = pending.rfind('\n') else { return };
        let whole: String = pending.drain(..=end).collect();
        whole.lines().for_each(|line| known.wrote(line, tell));
    }

    fn end(&mut self, vertex: &Vertex, tell: &mut impl FnMut(&str)) {
        if !has_ended(&vertex.state) {
            return;
        }
        let Some(known) = self.known.get_mut(&vertex.digest).filter(|known| !known.has_ended) else { return };
        known.has_ended = true;
        for (_, rest) in mem::take(&mut known.pending) {
            known.wrote(&rest, tell);
        }
        let how = match &vertex.state {
            VertexState::Waiting | VertexState::Running => return,
            VertexState::Cached => "CACHED".to_owned(),
            VertexState::Done(time) => format!("DONE {:.1}s", time.as_secs_f64()),
            VertexState::Failed(reason) => {
                self.failed.get_or_insert_with(|| vertex.digest.clone());
                format!("ERROR: {}", plain(&reason.replace('\n', " ")))
            }
        };
        known.tell(&how, tell);
    }
}

impl Known {
    fn wrote(&mut self, line: &str, tell: &mut impl FnMut(&str)) {
        let line = plain(line.trim_end());
        if !line.is_empty() {
            self.tell(&line, tell);
            self.last.push(line);
        }
    }

    fn tell(&self, what: &str, tell: &mut impl FnMut(&str)) {
        if let Some(number) = self.number {
            tell(&format!("#{number} {what}"));
        }
    }
}

fn has_ended(state: &VertexState) -> bool {
    match state {
        VertexState::Waiting | VertexState::Running => false,
        VertexState::Cached | VertexState::Done(_) | VertexState::Failed(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn vertex(digest: &str, name: &str, state: VertexState) -> Vertex {
        Vertex { digest: digest.to_owned(), name: name.to_owned(), state }
    }

    fn output(vertex: &str, stream: i64, text: &str) -> VertexOutput {
        VertexOutput { vertex: vertex.to_owned(), stream, bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn steps_that_run_side_by_side_are_told_apart_and_the_one_that_failed_is_known() {
        let (mut vertices, mut told) = (Vertices::default(), Vec::new());
        let mut hear = |steps: &[(&str, &str, VertexState)], outputs: &[(&str, i64, &str)]| {
            let steps = steps.iter().map(|(digest, name, state)| vertex(digest, name, state.clone()));
            let outputs = outputs.iter().map(|(digest, stream, text)| output(digest, *stream, text));
            let trace = Trace { vertices: steps.collect(), outputs: outputs.collect() };
            vertices.hear(&trace, |line| told.push(line.to_owned()));
        };
        let failed = VertexState::Failed("exit code: 3".to_owned());
        let done = VertexState::Done(Duration::from_millis(1250));
        hear(&[("i", "[internal] load build definition", VertexState::Running)], &[]);
        hear(&[("a", "[1/3] FROM x", VertexState::Waiting), ("b", "[2/3] RUN a", VertexState::Waiting)], &[]);
        hear(&[("a", "[1/3] FROM x", VertexState::Cached)], &[]);
        hear(&[("b", "[2/3] RUN a", VertexState::Running), ("c", "RUN b\nc", VertexState::Running)], &[]);
        hear(&[], &[("b", 1, "one\ntw"), ("c", 1, "else\n"), ("b", 2, "wo\u{7}rse")]);
        hear(&[("b", "[2/3] RUN a", failed.clone())], &[("b", 1, "o\n")]);
        hear(&[("b", "[2/3] RUN a", failed), ("c", "RUN b\nc", done)], &[]);
        let lines = [
            "#1 [1/3] FROM x",
            "#1 CACHED",
            "#2 [2/3] RUN a",
            "#3 RUN b c",
            "#2 one",
            "#3 else",
            "#2 two",
            "#2 wo\u{fffd}rse",
            "#2 ERROR: exit code: 3",
            "#3 DONE 1.2s",
        ];
        assert_eq!(told, lines);
        assert_eq!(vertices.step(), Some("[2/3] RUN a"));
        assert_eq!(vertices.last(), ["one", "two", "wo\u{fffd}rse"]);
        assert_eq!(vertices.from(), None);
    }

    #[test]
    fn an_image_that_cannot_be_had_is_named() {
        let mut vertices = Vertices::default();
        let failed = VertexState::Failed("no such host".to_owned());
        let name = "[internal] load metadata for r.example/shop:1";
        let trace = Trace { vertices: vec![vertex("a", name, failed)], outputs: vec![] };
        vertices.hear(&trace, |line| panic!("{line}"));
        assert_eq!(vertices.from(), Some("r.example/shop:1"));
    }
}
