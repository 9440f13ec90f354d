//! The wanted state of a backend, and how it changes when a new list of backends arrives.

use serde::{Deserialize, Serialize};

/// What a backend is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// New connections go to it.
    Ready,
    /// It gets no new connection. Those that it has go on until the drain limit.
    Drain,
    /// As `Drain`, and it is no longer in the list: nothing is left of it once its last connection has ended.
    Forgotten,
}

/// What the new list says about a backend that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Ready,
    Drain,
    Absent,
}

/// What is to be done beside the change of the standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Nothing,
    /// The drain limit begins to run, and the end of the last connection is to be told.
    Begin,
    /// The drain limit is off, and what was told of an earlier drain counts no more.
    Resume,
}

impl Standing {
    pub(crate) fn after(self, order: Order) -> (Self, Step) {
        match (self, order) {
            (Self::Ready, Order::Ready) => (Self::Ready, Step::Nothing),
            (Self::Ready, Order::Drain) => (Self::Drain, Step::Begin),
            (Self::Ready, Order::Absent) => (Self::Forgotten, Step::Begin),
            (Self::Drain | Self::Forgotten, Order::Ready) => (Self::Ready, Step::Resume),
            (Self::Drain | Self::Forgotten, Order::Drain) => (Self::Drain, Step::Nothing),
            (Self::Drain | Self::Forgotten, Order::Absent) => (Self::Forgotten, Step::Nothing),
        }
    }

    pub(crate) fn is_ready(self) -> bool {
        match self {
            Self::Ready => true,
            Self::Drain | Self::Forgotten => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Order, Standing, Step};

    #[test]
    fn a_drain_begins_once_however_often_it_is_ordered() {
        let orders = [Order::Drain, Order::Drain, Order::Absent, Order::Drain, Order::Absent];
        let mut standing = Standing::Ready;
        let mut begun = 0;
        for order in orders {
            let (next, step) = standing.after(order);
            begun += usize::from(step == Step::Begin);
            standing = next;
        }
        assert_eq!((standing, begun), (Standing::Forgotten, 1));
    }

    #[test]
    fn only_ready_gets_new_connections_and_every_other_standing_leads_back_to_it() {
        for standing in [Standing::Ready, Standing::Drain, Standing::Forgotten] {
            assert_eq!(standing.is_ready(), standing == Standing::Ready);
            assert_eq!(standing.after(Order::Ready).0, Standing::Ready);
        }
    }
}
