//! What an exporter writes reads back as what was meant, through parsers that are not ours or share no code with the exporters.

use proptest::prelude::*;

use crate::fuzz::case::Case;
use crate::fuzz::exporters;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_exporter_says_what_was_meant(
        command in "[!-~é ]{1,40}".prop_map(|text| text.trim().to_owned()).prop_filter("a command", |text| !text.is_empty()),
        values in proptest::collection::vec("[ -~é\n\t]{0,20}", 0..4),
        prestart in proptest::option::of("[ -~]{1,20}"),
    ) {
        let case = Case {
            command,
            prestart,
            description: None,
            directory: "srv/app".to_owned(),
            logs: "var/log".to_owned(),
            image: "image".to_owned(),
            values,
            count: 1,
        };
        for (_, format) in exporters::FORMATS {
            exporters::check(format, case.clone());
        }
    }
}
