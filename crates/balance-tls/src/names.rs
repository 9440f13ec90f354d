//! The names that a certificate is for, and whether one of them is the name that a client asks for (RFC 6125).

use x509_cert::Certificate;
use x509_cert::der::asn1::{PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Names in lower case. Displays as `shop.test, *.shop.test`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names(Vec<String>);

/// How well a certificate fits the name that is asked for, the best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    /// Not at all.
    None,
    /// By a name with a star.
    Wildcard,
    /// By that very name.
    Exact,
}

impl Names {
    /// The alternative names of a certificate. One that has none, as those that people make for themselves, is for its common name.
    pub(crate) fn of(certificate: &Certificate) -> Self {
        let body = certificate.tbs_certificate();
        let alternatives = body.get_extension::<SubjectAltName>().ok().flatten();
        let dns = |name: &GeneralName| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
            _ => None,
        };
        Self(match alternatives {
            Some((_, SubjectAltName(names))) => names.iter().filter_map(dns).collect(),
            None => common_names(certificate).collect(),
        })
    }

    /// How well it fits a name in lower case.
    pub(crate) fn fit(&self, asked: &str) -> Fit {
        let fit = |name: &String| match name.strip_prefix("*.") {
            _ if name == asked => Fit::Exact,
            // A star stands for one label and no more.
            Some(domain)
                if asked.split_once('.').is_some_and(|(first, rest)| !first.is_empty() && rest == domain) =>
            {
                Fit::Wildcard
            }
            Some(_) | None => Fit::None,
        };
        self.0.iter().map(fit).max().unwrap_or(Fit::None)
    }

    /// The names with commas between them.
    pub(crate) fn shown(&self) -> String {
        if self.0.is_empty() { "no name".to_owned() } else { self.0.join(", ") }
    }
}

fn common_names(certificate: &Certificate) -> impl Iterator<Item = String> + '_ {
    let attributes = certificate.tbs_certificate().subject().iter();
    attributes.filter(|attribute| attribute.oid == COMMON_NAME).filter_map(|attribute| {
        let text = |value: &str| value.to_ascii_lowercase();
        let utf8 = attribute.value.decode_as::<Utf8StringRef<'_>>().map(|value| text(value.as_str()));
        let printable =
            || attribute.value.decode_as::<PrintableStringRef<'_>>().map(|value| text(value.as_str()));
        utf8.or_else(|_| printable()).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_itself_and_a_star_stands_for_one_label() {
        let names = Names(["shop.test", "*.shop.test"].map(str::to_owned).to_vec());
        for (asked, fit) in [
            ("shop.test", Fit::Exact),
            ("www.shop.test", Fit::Wildcard),
            ("a.b.shop.test", Fit::None),
            (".shop.test", Fit::None),
            ("myshop.test", Fit::None),
            ("test", Fit::None),
            ("", Fit::None),
        ] {
            assert_eq!(names.fit(asked), fit, "{asked}");
        }
        assert_eq!(Names::default().fit("shop.test"), Fit::None);
        assert_eq!(
            (names.shown().as_str(), Names::default().shown().as_str()),
            ("shop.test, *.shop.test", "no name")
        );
    }
}
