//! `[images]` of the configuration: which image has which extensions.

use std::collections::{BTreeMap, BTreeSet};

use super::SettingsError;

/// Stands in the name of an image for the major version of PostgreSQL.
const MAJOR: &str = "{major}";

/// The images that have extensions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Images(BTreeMap<String, BTreeSet<String>>);

/// What the configuration says of some extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Configured {
    /// Nothing.
    Nothing,
    /// This image has all of those that it knows.
    Image(String),
    /// It has an image for each of these, and none for all of them.
    Apart(Vec<String>),
}

impl Images {
    /// Reads the table: the names of extensions, with commas between them, and the image that has them.
    ///
    /// # Errors
    /// When a name or an image is missing, or an image has braces around something else than `major`.
    pub fn parse(table: BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let wrong = |message: String| {
            SettingsError {
            message,
            hint: "write \"postgis\" = \"postgis/postgis:{major}-3.5\", or \"postgis,vector\" = \"IMAGE\" for one that \
                   has both, below [images]"
                .to_owned(),
        }
        };
        let mut images: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (key, image) in table {
            let image = image.trim().to_owned();
            if image.is_empty() {
                return Err(wrong(format!("[images] names no image for {key}")));
            }
            if image.replace(MAJOR, "").contains(['{', '}']) {
                let text = "it knows {major} alone between braces";
                return Err(wrong(format!("[images] has the image {image}: {text}")));
            }
            let names = key.split(',').map(|name| name.trim().to_owned());
            let names: BTreeSet<String> = names.collect();
            if names.contains("") {
                return Err(wrong(format!("[images] has an extension without a name: \"{key}\"")));
            }
            images.entry(image).or_default().extend(names);
        }
        Ok(Self(images))
    }

    /// Whether no image is configured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The image for a backup with these extensions, for a server of this major version: of those that have all the
    /// extensions which any is configured for, the one that has the fewest others.
    pub fn choose(&self, needed: &BTreeSet<String>, major: u32) -> Configured {
        let is_configured = |name: &&String| self.0.values().any(|names| names.contains(*name));
        let known: BTreeSet<String> = needed.iter().filter(is_configured).cloned().collect();
        if known.is_empty() {
            return Configured::Nothing;
        }
        let fitting = self.0.iter().filter(|(_, names)| known.is_subset(names));
        match fitting.min_by_key(|(_, names)| names.len()) {
            Some((image, _)) => Configured::Image(image.replace(MAJOR, &major.to_string())),
            None => Configured::Apart(known.into_iter().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(table: &[(&str, &str)]) -> Result<Images, SettingsError> {
        let table = table.iter().map(|(key, image)| ((*key).to_owned(), (*image).to_owned()));
        Images::parse(table.collect())
    }

    fn chosen(images: &Images, needed: &[&str]) -> Configured {
        images.choose(&needed.iter().map(|name| (*name).to_owned()).collect(), 15)
    }

    #[test]
    fn the_image_is_the_one_of_the_extension_for_the_version() {
        let images =
            images(&[("postgis", "gis:{major}-3.5"), ("vector", "vec:pg{major}")]).unwrap();
        let image = |name: &str| Configured::Image(name.to_owned());
        assert_eq!(chosen(&images, &["postgis"]), image("gis:15-3.5"));
        assert_eq!(chosen(&images, &["plpgsql", "postgis_topology", "vector"]), image("vec:pg15"));
        assert_eq!(chosen(&images, &["hstore"]), Configured::Nothing);
        assert_eq!(chosen(&images, &[]), Configured::Nothing);
    }

    #[test]
    fn several_extensions_need_one_image_that_has_all_of_them() {
        let apart = [("postgis", "gis"), ("vector", "vec"), ("pg_cron", "cron")];
        let found = chosen(&images(&apart).unwrap(), &["postgis", "vector"]);
        assert_eq!(found, Configured::Apart(vec!["postgis".to_owned(), "vector".to_owned()]));
        let all =
            [("postgis, vector", "both"), ("postgis,vector,pg_cron", "all"), ("vector", "vec")];
        let all = images(&all).unwrap();
        assert_eq!(chosen(&all, &["postgis", "vector"]), Configured::Image("both".to_owned()));
        assert_eq!(chosen(&all, &["pg_cron", "vector"]), Configured::Image("all".to_owned()));
        assert_eq!(chosen(&all, &["vector"]), Configured::Image("vec".to_owned()));
        let same = images(&[("postgis", "ours"), ("vector", "ours")]).unwrap();
        assert_eq!(chosen(&same, &["postgis", "vector"]), Configured::Image("ours".to_owned()));
    }

    #[test]
    fn a_table_that_makes_no_sense_is_refused() {
        for table in [("postgis", " "), ("postgis", "gis:{version}"), ("", "gis"), ("a,,b", "gis")]
        {
            let error = images(&[table]).unwrap_err();
            assert!(error.hint.contains("{major}"), "{error}");
        }
    }
}
