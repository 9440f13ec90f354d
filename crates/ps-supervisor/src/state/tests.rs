use std::os::unix::net::UnixListener;

use super::*;
use crate::status;

fn slot(name: &str) -> Slot {
    name.parse().expect("a slot")
}

fn of(name: &str, restarts: u32) -> Status {
    Status { restarts, ..Status::nothing(&slot(name), status::now()) }
}

/// A service directory with the socket of a supervisor.
struct Service(tempfile::TempDir);

impl Service {
    fn new() -> Self {
        let service = Self(tempfile::tempdir().expect("a directory"));
        service.listens();
        service
    }

    /// The next supervisor begins.
    fn listens(&self) {
        let path = self.0.path().join(CONTROL_SOCKET);
        let _ = fs::remove_file(&path);
        UnixListener::bind(&path).expect("bound");
        // What was written in the same moment is told apart by nothing but the inode, which may be the same.
        let born = filetime(&path);
        while filetime(&path) == born {
            let _ = fs::remove_file(&path);
            UnixListener::bind(&path).expect("bound");
        }
    }

    fn begin(&self) -> State {
        let left = Statuses::of(self.0.path());
        self.listens();
        State::begin(self.0.path(), left)
    }

    fn restarts(&self, name: &str) -> Option<u32> {
        Statuses::of(self.0.path()).read(&slot(name)).expect("readable").map(|status| status.restarts)
    }

    /// A state of which `web.1` has one restart, and the place of that record.
    fn begin_with_one(&self) -> (State, Place) {
        let mut state = self.begin();
        state.reserve(1);
        let mut place = Place::default();
        assert!(state.write(self.0.path(), &mut place, &of("web.1", 1)));
        (state, place)
    }
}

fn filetime(path: &Path) -> (i64, i64) {
    let metadata = path.symlink_metadata().expect("it is there");
    (metadata.mtime(), metadata.mtime_nsec())
}

#[test]
fn each_slot_has_what_was_written_last_also_through_the_next_supervisor() {
    let service = Service::new();
    let path = service.0.path();
    let mut state = service.begin();
    state.reserve(2);
    let mut places = [Place::default(); 2];
    for restarts in 0..5 {
        assert!(state.write(path, &mut places[0], &of("web.1", restarts)));
        assert!(state.write(path, &mut places[1], &of("web.2", 10 + restarts)));
    }
    assert_eq!((service.restarts("web.1"), service.restarts("web.2")), (Some(4), Some(14)));
    let mut state = service.begin();
    let (left, mut place) = state.take_left(&slot("web.1")).expect("it was left");
    assert_eq!(left.restarts, 4);
    assert!(state.write(path, &mut place, &of("web.1", 5)));
    assert_eq!((service.restarts("web.1"), service.restarts("web.2")), (Some(5), Some(14)));
    let (_, mut place) = state.take_left(&slot("web.2")).expect("it was left");
    state.erase(path, &mut place);
    assert_eq!(service.restarts("web.2"), None);
    let mut again = Place::default();
    assert!(state.write(path, &mut again, &of("web.3", 1)), "the block of one that is gone is used again");
    assert_eq!((service.restarts("web.2"), service.restarts("web.3")), (None, Some(1)));
}

#[test]
fn a_record_that_was_torn_leaves_the_one_before_it() {
    let service = Service::new();
    let path = service.0.path();
    let (mut state, mut place) = service.begin_with_one();
    assert!(state.write(path, &mut place, &of("web.1", 2)));
    let mut bytes = fs::read(path.join(FILE)).expect("written");
    let newest = BLOCK + CELL * usize::from(place.sequence % 2 == 1);
    bytes[newest + 60] ^= 1;
    fs::write(path.join(FILE), bytes).expect("written");
    assert_eq!(service.restarts("web.1"), Some(1));
}

#[test]
fn what_stands_there_is_passed_over_once_another_supervisor_has_been_at_work() {
    let service = Service::new();
    let path = service.0.path();
    let mut state = service.begin();
    state.reserve(1);
    assert!(state.write(path, &mut Place::default(), &of("web.1", 1)));
    fs::create_dir(path.join("web.1")).expect("made");
    of("web.1", 9).write(&path.join("web.1")).expect("written");
    assert_eq!(service.restarts("web.1"), Some(1));
    // One of before makes its socket, and writes only the files of the slots.
    service.listens();
    assert_eq!(service.restarts("web.1"), Some(9));
    let mut state = service.begin();
    assert!(state.take_left(&slot("web.1")).is_none());
    assert_eq!(service.restarts("web.1"), Some(9));
}

#[test]
fn an_earlier_copy_in_the_place_of_the_file_is_passed_over() {
    let service = Service::new();
    let path = service.0.path();
    let (mut state, mut place) = service.begin_with_one();
    fs::copy(path.join(FILE), path.join("backup")).expect("copied");
    assert!(state.write(path, &mut place, &of("web.1", 2)));
    assert_eq!(service.restarts("web.1"), Some(2));
    fs::create_dir(path.join("web.1")).expect("made");
    of("web.1", 2).write(&path.join("web.1")).expect("written");
    fs::rename(path.join("backup"), path.join(FILE)).expect("replaced");
    assert_eq!(service.restarts("web.1"), Some(2));
}

#[test]
fn what_makes_no_sense_or_is_of_a_later_format_is_passed_over() {
    let service = Service::new();
    let path = service.0.path();
    fs::create_dir(path.join("web.1")).expect("made");
    of("web.1", 9).write(&path.join("web.1")).expect("written");
    let later = format!("{{\"format\":2,\"control\":{:?}}}", [1, 2, 3]);
    let block = |text: &str| [cell(1, text.as_bytes()), vec![0; BLOCK]].concat();
    for bytes in [Vec::new(), vec![0; 3 * BLOCK], vec![b'x'; BLOCK + 7], block(&later), block("{}")] {
        fs::write(path.join(FILE), bytes).expect("written");
        assert_eq!(service.restarts("web.1"), Some(9));
        let mut state = service.begin();
        state.reserve(1);
        assert!(state.write(path, &mut Place::default(), &of("web.1", 3)), "it is made anew");
        assert_eq!(service.restarts("web.1"), Some(3));
    }
    fs::remove_file(path.join(FILE)).expect("removed");
    fs::create_dir_all(path.join(FILE).join("x")).expect("made");
    assert_eq!(service.restarts("web.1"), Some(9));
    let state = service.begin();
    assert!(state.is_in_place(path) && path.join(FILE).is_file());
    fs::remove_file(path.join(FILE)).expect("removed");
    assert!(!state.is_in_place(path));
}

#[test]
fn a_sentence_that_is_too_long_is_shortened_and_a_status_that_is_too_long_stands_in_its_own_file() {
    let service = Service::new();
    let path = service.0.path();
    let mut state = service.begin();
    state.reserve(1);
    let mut place = Place::default();
    let talkative = Status { reason: Some("é".repeat(5000)), ..of("web.1", 1) };
    assert!(state.write(path, &mut place, &talkative));
    let statuses = Statuses::of(path);
    let read = statuses.read(&slot("web.1")).expect("readable").expect("written");
    let length = read.reason.as_ref().map(|reason| reason.chars().count());
    assert_eq!((length, read.restarts), (Some(SHORTENED), 1));
    let deep = Status { directory: Some("d/".repeat(2000).into()), ..of("web.1", 2) };
    assert!(!state.write(path, &mut place, &deep));
    fs::create_dir(path.join("web.1")).expect("made");
    deep.write(&path.join("web.1")).expect("written");
    assert_eq!(service.restarts("web.1"), Some(2));
    assert!(state.write(path, &mut place, &of("web.1", 3)));
    assert_eq!(service.restarts("web.1"), Some(3));
}

#[test]
fn a_supervisor_is_believed_once_it_has_looked_at_what_was_left_and_while_it_is_the_last_one() {
    let service = Service::new();
    let path = service.0.path();
    let is_believed = || Statuses::of(path).are_kept_true();
    let mut state = service.begin();
    state.reserve(1);
    assert!(is_believed(), "nothing was left");
    assert!(state.write(path, &mut Place::default(), &of("web.1", 1)));
    let mut state = service.begin();
    assert!(!is_believed(), "what was left has not been looked at");
    state.vouch(path);
    assert!(is_believed());
    assert_eq!(service.restarts("web.1"), Some(1));
    service.listens();
    assert!(!is_believed(), "another one has run since");
}
