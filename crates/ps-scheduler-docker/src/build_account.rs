//! The state of a build, for both builders of the engine.

use ps_engine::BuildNews;

use crate::steps::Steps;
use crate::vertices::Vertices;

/// The reports of a build so far. Each builder reports in its own form, and a build uses only one of the two.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    steps: Steps,
    vertices: Vertices,
}

impl Account {
    /// Takes a part of the engine's report, and passes on whole lines.
    pub(crate) fn hear(&mut self, news: BuildNews<'_>, tell: impl FnMut(&str)) {
        match news {
            BuildNews::Text(text) => self.steps.hear(text, tell),
            BuildNews::Trace(trace) => self.vertices.hear(trace, tell),
        }
    }

    /// The step that failed, or is the last one.
    pub(crate) fn step(&self) -> Option<&str> {
        self.vertices.step().or(self.steps.step.as_deref())
    }

    /// The last lines that the step wrote.
    pub(crate) fn last(&self) -> &[String] {
        if self.vertices.step().is_some() { self.vertices.last() } else { self.steps.last.lines() }
    }

    /// The image that the step needs, if it needs one.
    pub(crate) fn from(&self) -> Option<&str> {
        self.vertices.from().or_else(|| self.steps.from())
    }

    /// Records an image that the build has made.
    pub(crate) fn made(&mut self, id: &str) {
        self.steps.made.push(id.to_owned());
    }

    /// The images that the build has made, the first one first.
    pub(crate) fn all_made(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.steps.made.iter().map(String::as_str)
    }
}
