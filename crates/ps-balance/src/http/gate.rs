//! Lets requests in by a few at a time, and looks for answers of backends in between. Where very many clients ask at once, their requests wait in the
//! kernel that way, and not in the middle of being served: fewer are open at a time, and what they use stays in the processor's cache. Nobody
//! waits for an answer of a backend: if none has come, the next requests are let in at once.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// So many are let in at a time.
const AT_A_TIME: usize = 32;

/// The gate of all connections.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How many have come in since it was opened.
    came: usize,
    waiting: VecDeque<(Arc<AtomicBool>, Waker)>,
    opener: Option<Waker>,
}

/// The turn of one connection, which waits once at most.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// While it waits: whether it was let in.
    queued: Option<Arc<AtomicBool>>,
}

impl Gate {
    /// Ready once a request of this connection may be read.
    pub(crate) fn poll_enter(&self, turn: &mut Turn, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(queued) = &turn.queued {
            if !queued.load(Ordering::Relaxed) {
                return Poll::Pending;
            }
            turn.queued = None;
            return Poll::Ready(());
        }
        let mut state = self.state();
        if state.came < AT_A_TIME {
            state.came += 1;
            if state.came == AT_A_TIME {
                state.opener.take().into_iter().for_each(Waker::wake);
            }
            return Poll::Ready(());
        }
        let queued = Arc::<AtomicBool>::default();
        state.waiting.push_back((Arc::clone(&queued), cx.waker().clone()));
        turn.queued = Some(queued);
        Poll::Pending
    }

    /// Opens it for ever, each time after sockets were looked at.
    pub(crate) async fn open(&self) {
        loop {
            poll_fn(|cx| {
                let mut state = self.state();
                if state.came >= AT_A_TIME {
                    return Poll::Ready(());
                }
                state.opener = Some(cx.waker().clone());
                Poll::Pending
            })
            .await;
            // The runtime looks at sockets before this task goes on.
            tokio::task::yield_now().await;
            let mut state = self.state();
            state.came = state.waiting.len().min(AT_A_TIME);
            let count = state.came;
            for (queued, task) in state.waiting.drain(..count) {
                queued.store(true, Ordering::Relaxed);
                task.wake();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use super::{AT_A_TIME, Gate, Turn};

    #[test]
    fn requests_come_in_a_few_at_a_time_in_their_order_and_sockets_are_looked_at_in_between() {
        const REQUESTS: usize = 5 * AT_A_TIME + 1;
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let gate = Arc::<Gate>::default();
        let came = Arc::<Mutex<Vec<usize>>>::default();
        let looks = Arc::<AtomicUsize>::default();
        runtime.block_on(async {
            let opener = Arc::clone(&gate);
            tokio::spawn(async move { opener.open().await });
            let (seen, counted) = (Arc::clone(&came), Arc::clone(&looks));
            // Woken each time after sockets were looked at, as the opener is.
            tokio::spawn(async move {
                while seen.lock().expect("no panic").len() < REQUESTS {
                    tokio::task::yield_now().await;
                    counted.fetch_add(1, Ordering::SeqCst);
                }
            });
            let enter = |number| {
                let (gate, came, looks) = (Arc::clone(&gate), Arc::clone(&came), Arc::clone(&looks));
                tokio::spawn(async move {
                    let mut turn = Turn::default();
                    poll_fn(|cx| gate.poll_enter(&mut turn, cx)).await;
                    came.lock().expect("no panic").push(number);
                    looks.load(Ordering::SeqCst)
                })
            };
            let all: Vec<_> = (0..REQUESTS).map(enter).collect();
            let mut at_a_look = vec![0; 100];
            for one in all {
                at_a_look[one.await.expect("it comes in")] += 1;
            }
            assert!(at_a_look.iter().all(|count| *count <= 2 * AT_A_TIME), "{at_a_look:?}");
            assert!(at_a_look.iter().filter(|count| **count > 0).count() >= 3, "{at_a_look:?}");
        });
        assert!(came.lock().expect("no panic").is_sorted());
    }
}
