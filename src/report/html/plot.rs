//! Plots, as SVG. Each is drawn for narrow pages, for wide ones and for those between, and the style of the page shows one of them. Colours
//! are names here, which that style gives a colour, one by day and one by night.

use std::ops::Range;

use chrono::{DateTime, Utc};
use maud::{Markup, PreEscaped};
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, Cross, PathElement, Polygon, Text};
use plotters::prelude::{Cartesian2d, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle};

use super::axis::{self, Unit};
use crate::model::forecast::days_between;

/// Units of a drawing to a pixel of the page: what is drawn lies on whole units.
const FINE: u32 = 2;
/// What a value is above the highest, so that nothing lies at the edge.
const ROOM: f64 = 1.1;

/// Something at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// When.
    pub at: DateTime<Utc>,
    /// How much.
    pub value: f64,
    /// Of which kind.
    pub kind: Kind,
}

/// What a point stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What is well.
    Good,
    /// What took too long.
    Slow,
    /// What was bad.
    Bad,
}

/// What a plot shows.
#[derive(Debug, Clone)]
pub(super) struct Plot {
    /// What the values are.
    pub unit: Unit,
    /// The points, in the order of their times.
    pub points: Vec<Point>,
    /// Whether they are joined by a line.
    pub is_joined: bool,
    /// A value that is not to be passed, and what stands at it.
    pub limit: Option<(f64, String)>,
    /// From here to there it is expected to go.
    pub expected: Option<[(DateTime<Utc>, f64); 2]>,
}

/// How large a plot is.
#[derive(Debug, Clone, Copy)]
struct Size {
    class: &'static str,
    width: u32,
    height: u32,
    /// Marks at the most, of the time and of the values.
    marks: (u32, u32),
}

const NARROW: Size = Size { class: "narrow", width: 320, height: 220, marks: (4, 4) };
const MEDIUM: Size = Size { class: "medium", width: 680, height: 260, marks: (9, 5) };
const WIDE: Size = Size { class: "wide", width: 1040, height: 300, marks: (13, 5) };
const HALF: Size = Size { class: "wide", width: 500, height: 220, marks: (6, 4) };

/// The colours, by what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ink {
    Grid = 1,
    Words = 2,
    Good = 3,
    Slow = 4,
    Bad = 5,
    Limit = 6,
    Expected = 7,
    Below = 8,
}

impl Ink {
    /// The colour that the style of the page replaces.
    fn colour(self) -> RGBColor {
        RGBColor(1, 1, self as u8)
    }
}

/// An axis that has its marks where they are wanted.
struct Axis {
    range: Range<f64>,
    marks: Vec<f64>,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        #[expect(clippy::cast_possible_truncation, reason = "a place in a drawing")]
        let at = (f64::from(to - from) * share).round() as i32;
        from + at
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.marks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;
type Drawn<'b> = Result<
    (),
    DrawingAreaErrorKind<<SVGBackend<'b> as plotters::backend::DrawingBackend>::ErrorType>,
>;

impl Plot {
    /// As wide as the page.
    pub(super) fn wide(&self) -> Markup {
        self.drawn(WIDE)
    }

    /// As wide as half of it, where there is room for two.
    pub(super) fn half(&self) -> Markup {
        self.drawn(HALF)
    }

    fn drawn(&self, size: Size) -> Markup {
        PreEscaped([NARROW, MEDIUM, size].into_iter().filter_map(|size| self.svg(size)).collect())
    }

    /// The drawing; `None` where there is nothing to draw.
    fn svg(&self, size: Size) -> Option<String> {
        let begin = self.points.first()?.at;
        let last = self.points.last()?.at;
        let end = self.expected.map_or(last, |[_, (end, _)]| end.max(last));
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, (size.width * FINE, size.height * FINE));
        // A drawing into memory does not fail.
        self.draw(&area.into_drawing_area(), size, begin, end).ok()?;
        let head =
            format!("<svg class=\"{}\" aria-hidden=\"true\" focusable=\"false\"", size.class);
        Some(text.replacen("<svg", &head, 1))
    }

    /// The highest value that there is room for.
    fn most(&self) -> f64 {
        let points = self.points.iter().map(|point| point.value);
        let limit = self.limit.iter().map(|(limit, _)| *limit);
        let expected = self.expected.iter().flatten().map(|(_, value)| *value);
        let most = points.chain(limit).chain(expected).fold(0.0, f64::max);
        if most > 0.0 { most * ROOM } else { 1.0 }
    }

    fn draw<'b>(
        &self,
        area: &DrawingArea<SVGBackend<'b>, Shift>,
        size: Size,
        begin: DateTime<Utc>,
        end: DateTime<Utc>,
    ) -> Drawn<'b> {
        let (unit, most) = (self.unit, self.most());
        // One point alone has a day for itself.
        let days = days_between(begin, end).max(1.0);
        let pad = days * 0.015;
        let dates = axis::dates(begin, end, size.marks.0);
        let values = axis::marks(most, unit, size.marks.1);
        let longest = values.iter().map(|value| axis::label(*value, unit, most).chars().count());
        let letters = u32::try_from(longest.max().unwrap_or(0)).unwrap_or(0);
        let mut chart = ChartBuilder::on(area)
            .margin_top(px(8))
            .margin_right(px(6))
            .x_label_area_size(px(26))
            .y_label_area_size(px(8 * letters + 8))
            .build_cartesian_2d(
                Axis { range: -pad..days + pad, marks: dates.iter().map(|(at, _)| *at).collect() },
                Axis { range: 0.0..most, marks: values },
            )?;
        let date = |at: &f64| {
            let named = dates.iter().find(|(mark, _)| (mark - at).abs() < 1e-9);
            named.map_or_else(String::new, |(_, text)| text.clone())
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .axis_style(none())
            .bold_line_style(line(Ink::Grid, 1))
            .light_line_style(none())
            .label_style(words(Ink::Words))
            .x_label_formatter(&date)
            .y_label_formatter(&|value| axis::label(*value, unit, most))
            .set_all_tick_mark_size(px(3))
            .draw()?;
        let day = |at: DateTime<Utc>| days_between(begin, at);
        if self.is_joined {
            self.join(&mut chart, &day)?;
        }
        self.limit(&mut chart, days + pad, -pad)?;
        if let Some([from, to]) = self.expected {
            let path = vec![(day(from.0), from.1), (day(to.0), to.1)];
            chart.draw_series([PathElement::new(path, line(Ink::Expected, 2))])?;
        }
        self.dots(&mut chart, &day)
    }

    /// A line through the points, and what is below it.
    fn join<'b>(&self, chart: &mut Chart<'_, 'b>, day: &dyn Fn(DateTime<Utc>) -> f64) -> Drawn<'b> {
        let path: Vec<(f64, f64)> =
            self.points.iter().map(|point| (day(point.at), point.value)).collect();
        let (Some(first), Some(last)) = (path.first(), path.last()) else { return Ok(()) };
        let mut below = vec![(first.0, 0.0)];
        below.extend(&path);
        below.push((last.0, 0.0));
        chart.draw_series([Polygon::new(below, Ink::Below.colour().filled())])?;
        chart.draw_series([PathElement::new(path, line(Ink::Good, 2))]).map(drop)
    }

    fn limit<'b>(&self, chart: &mut Chart<'_, 'b>, end: f64, begin: f64) -> Drawn<'b> {
        let Some((limit, text)) = &self.limit else { return Ok(()) };
        let path = vec![(begin, *limit), (end, *limit)];
        chart.draw_series([PathElement::new(path, line(Ink::Limit, 2))])?;
        let above = words(Ink::Limit).pos(Pos::new(HPos::Left, VPos::Bottom));
        let at = (begin, *limit);
        let label = plotters::element::EmptyElement::at(at)
            + Text::new(text.clone(), (4 * FINE as i32, -3 * FINE as i32), above);
        chart.draw_series([label]).map(drop)
    }

    fn dots<'b>(&self, chart: &mut Chart<'_, 'b>, day: &dyn Fn(DateTime<Utc>) -> f64) -> Drawn<'b> {
        let of = |kind: Kind| {
            let points = self.points.iter().filter(move |point| point.kind == kind);
            points.map(|point| (day(point.at), point.value)).collect::<Vec<_>>()
        };
        // Of many, each is smaller.
        let radius = if self.points.len() > 120 { 2 } else { 3 };
        if !self.is_joined {
            let dot = |at| Circle::new(at, px(radius), Ink::Good.colour().filled());
            chart.draw_series(of(Kind::Good).into_iter().map(dot))?;
        }
        let ring = |at| Circle::new(at, px(radius + 1), line(Ink::Slow, 2));
        chart.draw_series(of(Kind::Slow).into_iter().map(ring))?;
        let cross = |at| Cross::new(at, px(radius + 1), line(Ink::Bad, 2));
        chart.draw_series(of(Kind::Bad).into_iter().map(cross)).map(drop)
    }
}

/// Pixels of the page.
fn px(pixels: u32) -> u32 {
    pixels * FINE
}

fn line(ink: Ink, pixels: u32) -> ShapeStyle {
    ink.colour().stroke_width(px(pixels) * 3 / 4)
}

/// What is not drawn.
fn none() -> ShapeStyle {
    ShapeStyle::from(Ink::Grid.colour().mix(0.0))
}

fn words(ink: Ink) -> TextStyle<'static> {
    // The drawing writes the size smaller than it is asked for.
    ("sans-serif", f64::from(FINE) * 12.5 * 1.24).into_font().color(&ink.colour())
}
