//! Answers that come in pieces and can take any time, such as logs: the longer a log, the longer it takes. So time is
//! granted for data that has arrived. A log that comes at the speed of a file is never cut off; one that comes at a byte a
//! second soon is.

use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::stream::{self, Stream, StreamExt};

use crate::Fault;

/// For this many bytes of an answer, a second of waiting is granted.
const BYTES_A_SECOND: f64 = 4096.0;

/// How much longer to wait for the engine.
struct Allowance {
    left: Duration,
    most: Duration,
}

impl Allowance {
    fn spend(&mut self, waited: Duration) {
        self.left = self.left.saturating_sub(waited);
    }

    fn earn(&mut self, bytes: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a piece is far smaller than what a double can count")]
        let earned = Duration::from_secs_f64(bytes as f64 / BYTES_A_SECOND);
        self.left = self.left.saturating_add(earned).min(self.most);
    }
}

/// The pieces, as long as they come fast enough. Waiting for the next one may take `most`, and less after slow ones. Only
/// waiting counts, not the time in which the caller uses a piece. If the time is over, the answer ends with the error of
/// `late`.
pub(crate) fn while_they_come<T>(
    pieces: impl Stream<Item = Result<T, Fault>>,
    most: Duration,
    size: impl Fn(&T) -> usize,
    late: impl Fn() -> Fault,
) -> impl Stream<Item = Result<T, Fault>> {
    let begin = Some((Box::pin(pieces), Allowance { left: most, most }));
    stream::unfold((begin, size, late), |(state, size, late)| async move {
        let (mut pieces, mut allowance) = state?;
        let Ok(piece) = next(&mut pieces, &mut allowance).await else {
            return Some((Err(late()), (None, size, late)));
        };
        let piece = piece?;
        if let Ok(piece) = &piece {
            allowance.earn(size(piece));
        }
        Some((piece, (Some((pieces, allowance)), size, late)))
    })
}

async fn next<S: Stream>(
    pieces: &mut Pin<Box<S>>,
    allowance: &mut Allowance,
) -> Result<Option<S::Item>, tokio::time::error::Elapsed> {
    let began = Instant::now();
    let piece = tokio::time::timeout(allowance.left, pieces.next()).await;
    allowance.spend(began.elapsed());
    piece
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(future)
    }

    /// Pieces of this many bytes, each after this long; how many come, and whether they came to their end.
    fn of(count: usize, bytes: usize, pause: Duration) -> (usize, bool) {
        let pieces = stream::iter(0..count).then(move |_| async move {
            tokio::time::sleep(pause).await;
            Ok(bytes)
        });
        let most = Duration::from_millis(300);
        let late = || Fault::late(Path::new("/s"), "read a log", most);
        let all: Vec<_> = run(while_they_come(pieces, most, |bytes| *bytes, late).collect());
        let come = all.iter().filter(|piece| piece.is_ok()).count();
        (come, all.iter().all(Result::is_ok))
    }

    #[test]
    fn what_comes_at_the_speed_of_a_file_is_not_cut_however_long_it_takes() {
        assert_eq!(of(20, 64 * 1024, Duration::from_millis(50)), (20, true), "a second in all");
        assert_eq!(of(0, 1, Duration::ZERO), (0, true));
    }

    #[test]
    fn what_trickles_is_cut_once_and_nothing_comes_after_it() {
        let (come, is_whole) = of(100, 1, Duration::from_millis(50));
        assert!(come < 10 && !is_whole, "{come}");
    }
}
