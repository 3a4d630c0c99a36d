use super::*;
use crate::dump::item::Statement;

const MILLION: Size = Size { rows: 1_000_000, bytes: 200_000_000 };

/// A number, a moment, and two columns of any length.
fn columns() -> Columns {
    let lengths = [("id", Some(4)), ("at", Some(8)), ("note", None), ("doc", None)];
    lengths.into_iter().map(|(name, length)| (Name::from(name), length)).collect()
}

fn cost(what: &str) -> Cost {
    let text = format!("CREATE INDEX i ON public.t USING {what};");
    let statement = Statement { text: text.into(), toc: None, line: 1, offset: 0 };
    index(&IndexShape::of(&statement).unwrap(), MILLION, Some(&columns()))
}

/// That one takes so many times as long as the other, about.
#[track_caller]
fn is_times(dear: Cost, cheap: Cost, times: f64) {
    let measured = dear as f64 / cheap as f64;
    assert!((times / 2.0..times * 2.0).contains(&measured), "{measured} and not {times}");
}

// The numbers are those of `docs/benchmarks-costs.md`.

#[test]
fn a_btree_of_a_number_is_cheap_and_one_of_texts_takes_several_times_as_long() {
    is_times(cost("btree (note)"), cost("btree (id)"), 3.5);
    is_times(cost("btree (id, at)"), cost("btree (id)"), 1.1);
}

#[test]
fn an_expression_costs_more_than_its_column_and_a_part_of_the_rows_less_than_all() {
    is_times(cost("btree (md5(note))"), cost("btree (note)"), 1.45);
    assert!(cost("btree (note) WHERE (id > 5)") < cost("btree (note)") * 2);
    assert!(cost("gin (doc) WHERE (id > 5)") < cost("gin (doc)"));
}

#[test]
fn an_inverted_index_takes_as_long_as_its_column_is_wide() {
    is_times(cost("gin (doc)"), cost("btree (id)"), 13.0);
    is_times(cost("gin (note gin_trgm_ops)"), cost("gin (doc)"), 4.5);
    // What is not known is taken for one.
    assert_eq!(cost("rum (doc)"), cost("gin (doc)"));
}

#[test]
fn trees_that_rows_are_inserted_into_are_dear_and_ranges_of_blocks_cheap() {
    is_times(cost("gist (note)"), cost("btree (id)"), 32.0);
    is_times(cost("spgist (note)"), cost("btree (id)"), 11.0);
    is_times(cost("hash (id)"), cost("btree (id)"), 3.5);
    assert!(cost("brin (at)") < cost("btree (at)"));
}

#[test]
fn a_key_and_a_unique_constraint_are_the_index_that_they_make() {
    let statement = |text: &str| {
        let statement = Statement { text: text.to_owned().into(), toc: None, line: 1, offset: 0 };
        index(&IndexShape::of(&statement).unwrap(), MILLION, Some(&columns()))
    };
    assert_eq!(
        statement("ALTER TABLE ONLY public.t ADD CONSTRAINT p PRIMARY KEY (id);"),
        cost("btree (id)")
    );
    assert_eq!(
        statement("ALTER TABLE public.t ADD CONSTRAINT e EXCLUDE USING gist (note WITH &&);"),
        cost("gist (note)")
    );
}

#[test]
fn rows_cost_by_their_bytes_and_keys_by_the_rows_of_both_sides() {
    is_times(load(MILLION), cost("btree (id)"), 8.0);
    let few = Size { rows: 100, bytes: 10_000 };
    assert!(foreign_key(few, MILLION) > foreign_key(few, few) * 100);
    is_times(foreign_key(MILLION, few), cost("btree (id)"), 1.0);
    assert_eq!(foreign_key(MILLION, few), foreign_key(few, MILLION));
}

#[test]
fn where_the_columns_are_not_known_a_row_is_one_column() {
    let shape = IndexShape {
        name: "i".into(),
        method: "gin".to_owned(),
        keys: vec![Key::Column("doc".into())],
        is_partial: false,
        is_of_trigrams: false,
    };
    assert!(index(&shape, MILLION, None) > index(&shape, MILLION, Some(&columns())));
    assert_eq!(index(&shape, Size::default(), None), STATEMENT);
}
