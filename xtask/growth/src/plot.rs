//! growth.svg: a panel for each kind of fill, in it a line for each engine.

use anyhow::{Result, anyhow};
use plotters::coord::combinators::BindKeyPoints;
use plotters::coord::{CoordTranslate, Shift};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::figures::{Engine, Figures, Row};

// Pixels.
const PANEL: (u32, u32) = (480, 460);
const LEGEND_LINE: u32 = 26;
const LEGEND_COLUMNS: usize = 3;
const FONT: u32 = 16;
const MARKER: i32 = 4;

const GRID: RGBColor = RGBColor(225, 225, 225);
/// Okabe and Ito's, which people tell apart who do not see all colours.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(0, 0, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The picture, as text.
pub fn draw(figures: &Figures) -> Result<String> {
    let kinds = figures.kinds();
    let legend = (figures.engines.len().div_ceil(LEGEND_COLUMNS) as u32 + 1) * LEGEND_LINE + 10;
    let size = (PANEL.0 * kinds.len() as u32, PANEL.1 + legend);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let (panels, legend) = root.split_vertically(PANEL.1);
        for (kind, area) in kinds.iter().zip(panels.split_evenly((1, kinds.len()))) {
            draw_panel(figures, kind, &area)?;
        }
        draw_legend(figures, &legend)?;
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

fn draw_panel(figures: &Figures, kind: &str, area: &Area<'_>) -> Result<()> {
    let most = figures.points().map(|point| point.elements).max().unwrap_or(1).max(2) as f64;
    let seconds = || figures.points().map(|point| point.wall.median);
    // The same for all panels, from one power of ten to another.
    let lowest = 10f64.powf(seconds().fold(f64::INFINITY, f64::min).log10().floor());
    let highest = 10f64.powf(seconds().fold(0.0, f64::max).log10().floor() + 1.0);
    let decades = (0..=(highest / lowest).log10().round() as i32).map(|d| lowest * 10f64.powi(d)).collect();
    let powers = (0..=most.log2() as u32).step_by(5).map(|power| f64::from(power).exp2()).collect();

    let mut chart = ChartBuilder::on(area)
        .caption(kind, ("sans-serif", FONT + 4))
        .margin(8)
        .margin_right(18)
        .x_label_area_size(48)
        .y_label_area_size(72)
        .build_cartesian_2d(
            (0.8..most * 1.25).log_scale().base(2.0).with_key_points(powers),
            (lowest..highest).log_scale().with_key_points(decades),
        )
        .map_err(failed)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(BLACK)
        .label_style(("sans-serif", FONT))
        .axis_desc_style(("sans-serif", FONT))
        .x_desc("elements")
        .y_desc("time of one fill")
        .x_label_formatter(&|number| elements(*number))
        .y_label_formatter(&|seconds| duration(*seconds))
        .draw()
        .map_err(failed)?;

    for (index, row) in engines(figures, kind) {
        let points = || row.points.iter().map(|point| (point.elements as f64, point.wall.median));
        let colour = colour(index);
        // A fill of so many elements would take the launch twice.
        if let Some(knee) = row.fit.knee_elements.filter(|knee| (1.0..most).contains(knee)) {
            let top = (row.fit.launch_seconds * 2.0).clamp(lowest, highest);
            let down = [(knee, top), (knee, lowest)];
            chart.draw_series(DashedLineSeries::new(down, 5, 4, colour.stroke_width(1))).map_err(failed)?;
        }
        chart.draw_series(LineSeries::new(points(), colour.stroke_width(2))).map_err(failed)?;
        for point in points() {
            draw_marker(chart.plotting_area(), index, point)?;
        }
    }
    Ok(())
}

/// Those that have this kind of fill, by their place among all engines.
fn engines<'a>(figures: &'a Figures, kind: &str) -> impl Iterator<Item = (usize, &'a Row)> {
    let of_kind = move |engine: &'a Engine| engine.rows.iter().find(|row| row.kind() == kind);
    figures.engines.iter().map(of_kind).enumerate().filter_map(|(index, row)| Some((index, row?)))
}

fn draw_legend(figures: &Figures, area: &Area<'_>) -> Result<()> {
    let column = area.dim_in_pixel().0 as i32 / LEGEND_COLUMNS as i32;
    let text = |at: usize| {
        ((at % LEGEND_COLUMNS) as i32 * column + 24, 14 + (at / LEGEND_COLUMNS) as i32 * LEGEND_LINE as i32)
    };
    let style = ("sans-serif", FONT).into_text_style(area).pos(Pos::new(HPos::Left, VPos::Center));
    for (index, engine) in figures.engines.iter().enumerate() {
        let (x, y) = text(index);
        let line = PathElement::new([(x, y), (x + 36, y)], colour(index).stroke_width(2));
        area.draw(&line).map_err(failed)?;
        draw_marker(area, index, (x + 18, y))?;
        area.draw(&Text::new(engine.name.clone(), (x + 46, y), style.clone())).map_err(failed)?;
    }
    let (x, y) = text(figures.engines.len().next_multiple_of(LEGEND_COLUMNS));
    for dash in 0..4 {
        let line = PathElement::new([(x + dash * 9, y), (x + dash * 9 + 5, y)], BLACK.stroke_width(1));
        area.draw(&line).map_err(failed)?;
    }
    let knee = "the knee of the fitted line: its elements take as long as the launch";
    area.draw(&Text::new(knee, (x + 46, y), style)).map_err(failed)
}

fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

/// Of an engine, by its place.
fn draw_marker<C: CoordTranslate<From: Clone>>(
    area: &DrawingArea<SVGBackend<'_>, C>,
    index: usize,
    at: C::From,
) -> Result<()> {
    let (style, here, r) = (colour(index).filled(), EmptyElement::at(at), MARKER);
    match index % 4 {
        0 => area.draw(&(here + Circle::new((0, 0), r, style))),
        1 => area.draw(&(here + Rectangle::new([(-r, -r), (r, r)], style))),
        2 => area.draw(&(here + TriangleMarker::new((0, 0), r + 2, style))),
        _ => area.draw(&(here + Cross::new((0, 0), r, colour(index).stroke_width(2)))),
    }
    .map_err(failed)
}

/// A power of two, with the prefixes of binary numbers: 32 Ki.
fn elements(elements: f64) -> String {
    let power = elements.log2().round() as usize;
    let prefix = ["", " Ki", " Mi", " Gi"].get(power / 10);
    prefix.map_or_else(|| format!("2^{power}"), |prefix| format!("{}{prefix}", 1 << (power % 10)))
}

/// A power of ten, as a person says it.
fn duration(seconds: f64) -> String {
    let nanoseconds = (seconds * 1e9).log10().round() as i32;
    let (unit, power) = match nanoseconds {
        ..3 => ("ns", nanoseconds),
        3..6 => ("µs", nanoseconds - 3),
        6..9 => ("ms", nanoseconds - 6),
        _ => ("s", nanoseconds - 9),
    };
    format!("{} {unit}", 10f64.powi(power))
}

fn failed(error: impl std::error::Error) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::example;

    #[test]
    fn the_picture_names_everything() {
        let svg = draw(&example()).unwrap();
        for text in [
            "clear f32",
            "normal f32",
            "vulkan/A &lt;B&gt; &amp; C",
            "host",
            "elements",
            "1 Ki",
            "1 µs",
            "knee",
        ] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
    }

    #[test]
    fn labels() {
        assert_eq!(
            [0, 5, 10, 25, 30, 40].map(|power| elements(f64::from(power).exp2())),
            ["1", "32", "1 Ki", "32 Mi", "1 Gi", "2^40"]
        );
        assert_eq!(
            [1e-8, 1e-6, 1e-4, 0.1, 1.0, 100.0].map(duration),
            ["10 ns", "1 µs", "100 µs", "100 ms", "1 s", "100 s"]
        );
    }
}
