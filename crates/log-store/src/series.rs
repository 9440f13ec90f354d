//! Which files a stream has, and in which order they are read. A *series* is all that was ever written to one stream of one
//! place; a *segment* is one file of it. One writer appends to a segment, and what runs has its own: two runs that live
//! side by side during a rollout never write into the same file.
//!
//! ```text
//! log/stdout              run 0, segment 0: the only file there was before runs had numbers
//! log/stdout.17.0.gz      run 17, its first segment, which was full and is compressed
//! log/.stdout.17.0.times  when its bytes came
//! log/stdout.17.1         run 17 went on here
//! log/.stdout.17.lost     how many bytes of run 17 were dropped because the disk was full
//! ```
//!
//! A name is a stream, a run and a number, and nothing else: what logrotate makes of a segment (`stdout.1`,
//! `stdout.17.0.1`) is none of the series. What is for programs alone begins with a dot: `cat log/stdout*` passes it over.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is behind the name of a segment that is compressed.
const PACKED: &str = "gz";
/// What is behind its name in that of the file where the times of its bytes are.
const TIMES: &str = "times";
/// What is behind the name of a run where its lost bytes are counted.
const LOST: &str = "lost";

/// One file of a series. The order of segments is the order of runs, and of the files of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// The run that began it. A later run may go on in it, as a process does that crashed and was started again.
    pub run: u64,
    /// Which one of that run, from 0.
    pub number: u32,
}

impl Segment {
    /// The file that bears the stream's name alone.
    pub const FIRST: Self = Self { run: 0, number: 0 };

    /// The first segment of a run.
    pub fn first_of(run: u64) -> Self {
        Self { run, number: 0 }
    }

    /// The one after it, in the same run.
    pub(crate) fn next(self) -> Self {
        Self { number: self.number.saturating_add(1), ..self }
    }

    /// The segment of a file name, if it is one of the stream's. Each segment has one name only.
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
    directory: PathBuf,
    stream: String,
}

impl Series {
    /// Those of the stream of that name (`stdout`) in a directory. Neither need be there.
    pub fn new(directory: &Path, stream: &str) -> Self {
        Self { directory: directory.to_owned(), stream: stream.to_owned() }
    }

    /// The directory that they lie in.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where a segment lies, or would, while it is not compressed.
    pub fn path(&self, segment: Segment) -> PathBuf {
        self.directory.join(segment.name(&self.stream))
    }

    /// Where a segment lies, or would, once it is compressed.
    pub fn packed_path(&self, segment: Segment) -> PathBuf {
        self.directory.join(format!("{}.{PACKED}", segment.name(&self.stream)))
    }

    /// Where the times of a segment's bytes lie, or would.
    pub(crate) fn times_path(&self, segment: Segment) -> PathBuf {
        self.beside(&segment.name(&self.stream), TIMES)
    }

    /// Where the lost bytes of a run are counted.
    pub(crate) fn lost_path(&self, run: u64) -> PathBuf {
        match run {
            0 => self.beside(&self.stream, LOST),
            run => self.beside(&format!("{}.{run}", self.stream), LOST),
        }
    }

    fn beside(&self, name: &str, what: &str) -> PathBuf {
        self.directory.join(format!(".{name}.{what}"))
    }

    /// The segments that are there, compressed or not, in their order.
    pub fn segments(&self) -> io::Result<Vec<Segment>> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let segment = |entry: fs::DirEntry| self.segment_of(entry.file_name().to_str()?);
        let segments: BTreeSet<Segment> = entries.flatten().filter_map(segment).collect();
        Ok(segments.into_iter().collect())
    }

    fn segment_of(&self, name: &str) -> Option<Segment> {
        let packed = name.strip_suffix(PACKED).and_then(|name| name.strip_suffix('.'));
        Segment::parse(packed.unwrap_or(name), &self.stream)
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
        assert_eq!(series.segment_of("stdout.gz"), Some(Segment::FIRST));
        assert_eq!(series.segment_of("stdout.17.3.gz"), Some(seventeenth));
        let none =
            ["stderr", "stdout.1", "stdout.17.0.1", ".stdout.17.0.times", "stdout.0.0", ".stdout.17.lost"];
        let more =
            ["stdout.017.0", "stdout.+1.0", "stdout-20261126", "stdout.", "std", "stdout.1.gz", "stdoutgz"];
        for name in none.into_iter().chain(more) {
            assert_eq!(series.segment_of(name), None, "{name}");
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
