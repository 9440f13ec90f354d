//! The life of a client's connection, for all versions of HTTP.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::time::Duration;

use crate::balancer::Balancer;

/// How long a client may take for the head of a request, and how long its connection is kept without one.
pub(crate) const HEAD: Duration = Duration::from_secs(60);
/// The most bytes of a head.
pub(crate) const LONGEST_HEAD: usize = 64 * 1024;

/// Serves a connection until it ends. When the program is to end, or `enough` is ready, `end` is called, after which
/// the connection takes no further requests.
pub(crate) async fn live<S: Future>(
    balancer: &Balancer,
    served: S,
    end: impl Fn(Pin<&mut S>),
    enough: impl Future<Output = ()>,
) {
    let (mut leaves, mut enough) = (pin!(balancer.leaves.notified()), pin!(enough));
    let mut served = pin!(served);
    let mut is_told = balancer.state().leaves_by.is_some();
    if is_told {
        end(served.as_mut());
    }
    // How a connection ended is the client's business: it has seen it.
    let _ = poll_fn(|cx| {
        if !is_told && (leaves.as_mut().poll(cx).is_ready() || enough.as_mut().poll(cx).is_ready()) {
            is_told = true;
            end(served.as_mut());
        }
        served.as_mut().poll(cx)
    })
    .await;
}
