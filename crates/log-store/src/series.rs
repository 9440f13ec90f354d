//! The files of a stream and their order. A *series* is all output of one stream in one place; a *segment* is one file of
//! it. Each segment has one writer, and each running process writes to a segment of its own, so two runs that live side by
//! side during a rollout never write to the same file.
//!
//! ```text
//! log/stdout              run 0, segment 0: the only file there was before runs had numbers
//! log/stdout.17.0.gz      run 17, its first segment, which was full and is compressed
//! log/.stdout.17.0.times  when its bytes came
//! log/stdout.17.1         run 17 went on here
//! log/.stdout.17.lost     how many bytes of run 17 were dropped because the disk was full
//! ```
//!
//! A segment's name consists of stream, run and number. The files that logrotate makes of a segment (`stdout.1`,
//! `stdout.17.0.1`) are not part of the series. The names of files for programs begin with a dot, so that `cat log/stdout*`
//! does not print them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The suffix of a compressed segment.
const PACKED: &str = "gz";
/// The suffix of the file with the times of a segment's bytes.
const TIMES: &str = "times";
/// The suffix of the file that counts the lost bytes of a run.
const LOST: &str = "lost";

/// One file of a series. Segments are ordered by run, then by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// The run that began the segment. A later run may continue it, for instance after a crash.
    pub run: u64,
    /// The number of the segment within the run, from 0.
    pub number: u32,
}

impl Segment {
    /// The segment whose file name is that of the stream alone.
    pub const FIRST: Self = Self { run: 0, number: 0 };

    /// The first segment of a run.
    pub fn first_of(run: u64) -> Self {
        Self { run, number: 0 }
    }

    /// The next segment of the same run.
    pub(crate) fn next(self) -> Self {
        Self { number: self.number.saturating_add(1), ..self }
    }

    /// The segment of a file name; `None` if the name is not one of this stream's segments.
    fn parse(name: &str, stream: &str) -> Option<Self> {
        let rest = name.strip_prefix(stream)?;
        let segment = match rest.strip_prefix('.') {
            Some(numbers) => {
                let (run, number) = numbers.split_once('.')?;
                Self { run: run.parse().ok()?, number: number.parse().ok()? }
            }
            None => Self::FIRST,
        };
        (segment.name(stream) == name).then_some(segment)
    }

    fn name(self, stream: &str) -> String {
        match self {
            Self::FIRST => stream.to_owned(),
            Self { run, number } => format!("{stream}.{run}.{number}"),
        }
    }
}

/// The segments of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The path is shared by all copies, of which there are some for each instance.
    directory: Arc<Path>,
    stream: &'static str,
}

impl Series {
    /// The series of a stream (`stdout`) in a directory. Neither need exist.
    pub fn new(directory: &Path, stream: &'static str) -> Self {
        Self { directory: directory.into(), stream }
    }

    /// The series of another stream in the same directory.
    #[must_use]
    pub fn beside_it(&self, stream: &'static str) -> Self {
        Self { directory: Arc::clone(&self.directory), stream }
    }

    /// The directory of the files.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The path of a segment that is not compressed; the file need not exist.
    pub fn path(&self, segment: Segment) -> PathBuf {
        self.directory.join(segment.name(self.stream))
    }

    /// The path of a compressed segment; the file need not exist.
    pub fn packed_path(&self, segment: Segment) -> PathBuf {
        self.directory.join(format!("{}.{PACKED}", segment.name(self.stream)))
    }

    /// The path of the times of a segment; the file need not exist.
    pub(crate) fn times_path(&self, segment: Segment) -> PathBuf {
        self.beside(&segment.name(self.stream), TIMES)
    }

    /// The path of the file that counts the lost bytes of a run.
    pub(crate) fn lost_path(&self, run: u64) -> PathBuf {
        match run {
            0 => self.beside(self.stream, LOST),
            run => self.beside(&format!("{}.{run}", self.stream), LOST),
        }
    }

    fn beside(&self, name: &str, what: &str) -> PathBuf {
        self.directory.join(format!(".{name}.{what}"))
    }

    /// Whether a new run can begin with this segment: the segment does not exist in any form, and the directory is really one.
    pub(crate) fn can_begin(&self, first: Segment) -> bool {
        let is_free =
            |path: &Path| path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        is_free(&self.directory)
            || (self.directory.is_dir() && is_free(&self.path(first)) && is_free(&self.packed_path(first)))
    }

    /// The existing segments, compressed or not, in order.
    pub fn segments(&self) -> io::Result<Vec<Segment>> {
        let segments: BTreeSet<Segment> = self.files()?.into_iter().map(|(segment, _)| segment).collect();
        Ok(segments.into_iter().collect())
    }

    /// The last segment of a run, and whether it is compressed.
    pub(crate) fn last_of(&self, run: u64) -> io::Result<Option<(Segment, bool)>> {
        Ok(self.files()?.into_iter().filter(|(segment, _)| segment.run == run).max())
    }

    /// The files of segments, and whether they are compressed, in no order.
    fn files(&self) -> io::Result<Vec<(Segment, bool)>> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let file = |entry: fs::DirEntry| self.file(entry.file_name().to_str()?);
        Ok(entries.flatten().filter_map(file).collect())
    }

    fn file(&self, name: &str) -> Option<(Segment, bool)> {
        let packed = name.strip_suffix(PACKED).and_then(|name| name.strip_suffix('.'));
        Some((Segment::parse(packed.unwrap_or(name), self.stream)?, packed.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_one_name_and_nothing_else_is_one() {
        let seventeenth = Segment { run: 17, number: 3 };
        for (segment, name) in
            [(Segment::FIRST, "stdout"), (seventeenth, "stdout.17.3"), (Segment::first_of(4), "stdout.4.0")]
        {
            assert_eq!(
                (segment.name("stdout").as_str(), Segment::parse(name, "stdout")),
                (name, Some(segment))
            );
        }
        let series = Series::new(Path::new("log"), "stdout");
        assert_eq!(series.file("stdout.gz"), Some((Segment::FIRST, true)));
        assert_eq!(series.file("stdout.17.3.gz"), Some((seventeenth, true)));
        let none =
            ["stderr", "stdout.1", "stdout.17.0.1", ".stdout.17.0.times", "stdout.0.0", ".stdout.17.lost"];
        let more =
            ["stdout.017.0", "stdout.+1.0", "stdout-20261126", "stdout.", "std", "stdout.1.gz", "stdoutgz"];
        for name in none.into_iter().chain(more) {
            assert_eq!(series.file(name), None, "{name}");
        }
    }

    #[test]
    fn segments_come_in_the_order_of_runs_and_none_is_no_error() {
        let place = tempfile::tempdir().expect("a directory");
        let series = Series::new(&place.path().join("log"), "stdout");
        assert_eq!(series.segments().expect("readable"), []);
        fs::create_dir(place.path().join("log")).expect("made");
        let [late, first] = [Segment { run: 10, number: 2 }, Segment { run: 9, number: 11 }];
        for path in [series.path(late), series.packed_path(late), series.packed_path(first)] {
            fs::write(path, "").expect("written");
        }
        fs::write(series.path(Segment::FIRST), "").expect("written");
        assert_eq!(series.segments().expect("readable"), [Segment::FIRST, first, late]);
    }
}
