//! Translates errors of the crate csv: a reader that went away becomes a broken pipe, which the programs handle.

use std::io;

/// The error of the writer below, or an error that says what could not be written as CSV.
pub(crate) fn of_csv(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("write CSV: {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe whose reader went away.
    struct Broken;

    impl io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_goes_away_is_a_broken_pipe() {
        let mut writer = csv::WriterBuilder::new().buffer_capacity(1).from_writer(Broken);
        let error = writer.write_record(["a long field", "b"]).map_err(of_csv).expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
