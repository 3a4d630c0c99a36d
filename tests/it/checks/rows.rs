//! `[checks.rows]` against the last backup that passed.

use super::{NO_APPLICATION, made, verified};
use crate::support::Place;
use crate::support::source::database;

#[test]
fn a_backup_whose_database_is_not_known_is_compared_with_none() {
    let place = Place::on_a_lent_server();
    place.file("a.sql", crate::support::good_dump());
    let config = format!("{NO_APPLICATION}[checks.rows]\nmax_drop = \"20%\"\n");
    let outcome = verified(&place, "a.sql", &config);
    outcome.passed().says(
        "· Rows are compared with no earlier backup: without a manifest, its database is not known",
    );
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn rows_are_held_to_those_of_the_last_backup_that_passed() {
        let place = Place::on_a_lent_server();
        let database = database();
        database.sql(
        "CREATE TABLE public.visits (n int); INSERT INTO visits SELECT generate_series(1, 1000);
                  CREATE TABLE public.plans (n int); INSERT INTO plans VALUES (1), (2), (3);",
    );
        let config = format!(
            "{NO_APPLICATION}sequences = \"off\"\n[checks.rows]\nmax_drop = \"20%\"\nmax_growth = \"300%\"\n\
         \"public.visits\" = {{ min = 100 }}\n\"public.plans\" = {{ max_drop = \"0%\" }}\n"
        );
        let backup = |name: &str, format: &str| {
            let file = format!("backup_2026011{name}_020000.{format}");
            made(&place, &database, &[&file]);
            file
        };
        let first = backup("1", "sql.gz");
        let outcome = verified(&place, &first, &config);
        outcome.passed().says("✓ public.visits count >= 100 (count: 1,000)");
        let nothing = format!(
            "· Rows are compared with no earlier backup: none of {} lies beside it that passed before",
            database.name
        );
        outcome.says(&nothing);

        database.sql("DELETE FROM visits WHERE n <= 200");
        let second = backup("2", "dump");
        let outcome = verified(&place, &second, &config);
        outcome.passed();
        assert!(
            outcome.stdout.contains(&format!("✓ Rows are about those of {first} (")),
            "{outcome}"
        );

        database.sql("DELETE FROM visits WHERE n <= 400; DELETE FROM plans WHERE n = 3");
        let third = backup("3", "sql.gz");
        let outcome = verified(&place, &third, &config);
        outcome.failed(&format!("Rows are not about those of {second}: public.plans has 2, before 3 (33.3 % fewer, 0 % allowed)"));
        outcome.says("public.visits has 600, before 800 (25 % fewer, 20 % allowed)");

        // One that failed is no measure.
        database.sql(
            "INSERT INTO plans VALUES (3); INSERT INTO visits SELECT generate_series(1, 2700)",
        );
        let fourth = backup("4", "sql.gz");
        let outcome = verified(&place, &fourth, &config);
        outcome.failed("public.visits has 3,300, before 800 (312.5 % more, 300 % allowed)");
        // Who restores it all the same knows what is in it.
        let without = verified(&place, &fourth, NO_APPLICATION);
        without.passed();
    }
}
