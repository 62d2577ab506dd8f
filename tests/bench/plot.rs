//! The plots, as SVG files.

use crate::contender::Contender;
use crate::measure::{Crowd, Extent, Figure, Results, When};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

type Drawn<T = ()> = Result<T, Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What is drawn of one contender.
struct Series {
    label: String,
    colour: RGBColor,
    points: Vec<(f64, f64)>,
}

const FONT: &str = "sans-serif";
const GRID: RGBColor = RGBColor(225, 225, 225);
const WIDTH: u32 = 1000;
const HEIGHT: u32 = 330;

/// Draws all of them into the directory.
pub(crate) fn all(directory: &Path, contenders: &[Contender], extent: &Extent, results: &Results) -> Drawn {
    let everybody: Vec<&Contender> = contenders.iter().collect();
    let inits: Vec<&Contender> = contenders.iter().filter(|contender| contender.path.is_some()).collect();
    let median = |name, figure| Some(results.of(name, figure)).filter(|it| !it.is_empty()).map(|it| it.median());

    halves(&directory.join("memory.svg"), |left, right| {
        bars(left, "Resident, KiB", &inits, |name| median(name, Figure::Resident(When::Idle)))?;
        bars(right, "Private dirty, KiB", &inits, |name| median(name, Figure::PrivateDirty(When::Idle)))
    })?;
    halves(&directory.join("start.svg"), |left, right| {
        bars(left, "Start and end of an empty program, µs", &everybody, |name| median(name, Figure::Start))?;
        bars(right, "Processor time of the same, µs", &everybody, |name| median(name, Figure::StartProcessor))
    })?;
    halves(&directory.join("latency.svg"), |left, right| {
        for (area, live) in [(left, 0), (right, extent.live)] {
            let series = series(&everybody, |name| {
                let samples = results.of(name, Figure::Latency(live));
                // The last few would make the picture as wide as the worst hiccup of the machine.
                let percents = (0..=95).map(f64::from).filter(|_| !samples.is_empty());
                percents.map(|percent| (samples.quantile(percent / 100.0), percent)).collect()
            });
            let title = format!("% of the signals arrived after µs; {live} children alive");
            lines(area, &title, SeriesLabelPosition::LowerRight, &series)?;
        }
        Ok(())
    })?;
    halves(&directory.join("reaping.svg"), |left, right| {
        for (area, live) in [(left, 0), (right, extent.live)] {
            let series = series(&inits, |name| {
                let each = |zombies| median(name, Figure::ReapingProcessor(Crowd { live, zombies }));
                let point = |zombies: &usize| Some((*zombies as f64, each(*zombies)? * *zombies as f64 / 1e3));
                extent.zombies.iter().filter_map(point).collect()
            });
            let title = format!("Processor time in ms to reap N zombies; {live} children alive");
            lines(area, &title, SeriesLabelPosition::UpperLeft, &series)?;
        }
        Ok(())
    })?;
    halves(&directory.join("stop.svg"), |left, right| {
        let series = series(&inits, |name| {
            let time = |count| median(name, Figure::Stop(count));
            extent.stops.iter().filter_map(|count| Some((*count as f64, time(*count)?))).collect()
        });
        lines(left, "ms until N descendants have exited", SeriesLabelPosition::UpperLeft, &series)?;
        bars(right, "Orphans a second, as fast as they are made", &inits, |name| median(name, Figure::StormRate))
    })
}

/// A picture with two halves.
fn halves(file: &Path, draw: impl for<'a> FnOnce(&Area<'a>, &Area<'a>) -> Drawn) -> Drawn {
    let area = SVGBackend::new(file, (WIDTH, HEIGHT)).into_drawing_area();
    area.fill(&WHITE)?;
    let (left, right) = area.split_horizontally(WIDTH / 2);
    draw(&left, &right)?;
    area.present()?;
    Ok(())
}

fn series(contenders: &[&Contender], points: impl Fn(&'static str) -> Vec<(f64, f64)>) -> Vec<Series> {
    let one = |contender: &&Contender| {
        let (red, green, blue) = contender.colour;
        Series { label: contender.name.to_owned(), colour: RGBColor(red, green, blue), points: points(contender.name) }
    };
    contenders.iter().map(one).filter(|series| !series.points.is_empty()).collect()
}

/// The largest of a coordinate.
fn most(series: &[Series], of: fn(&(f64, f64)) -> f64) -> f64 {
    series.iter().flat_map(|series| &series.points).map(of).fold(0.0, f64::max)
}

/// Horizontal bars with their names and values.
fn bars(area: &Area<'_>, title: &str, contenders: &[&Contender], value: impl Fn(&'static str) -> Option<f64>) -> Drawn {
    let bars = series(contenders, |name| value(name).map(|value| (value, 0.0)).into_iter().collect());
    let longest = most(&bars, |point| point.0);
    if longest == 0.0 {
        return Ok(());
    }
    let area = area.margin(10, 10, 10, 10);
    let mut chart = ChartBuilder::on(&area)
        .caption(title, (FONT, 16))
        .margin_left(95)
        .build_cartesian_2d(0.0..longest * 1.18, bars.len() as f64..0.0)?;
    for (row, bar) in bars.iter().enumerate() {
        let value = bar.points.first().map_or(0.0, |point| point.0);
        let (top, middle, bottom) = (row as f64 + 0.15, row as f64 + 0.5, row as f64 + 0.85);
        chart.draw_series([Rectangle::new([(0.0, top), (value, bottom)], bar.colour.filled())])?;
        let written = |text: String, by: i32| Text::new(text, (by, -7), (FONT, 13));
        chart.draw_series([EmptyElement::at((value, middle)) + written(format!("{value:.0}"), 5)])?;
        chart.draw_series([EmptyElement::at((0.0, middle)) + written(bar.label.clone(), -92)])?;
    }
    Ok(())
}

fn lines(area: &Area<'_>, title: &str, legend: SeriesLabelPosition, series: &[Series]) -> Drawn {
    let (right, top) = (most(series, |point| point.0), most(series, |point| point.1));
    if right == 0.0 || top == 0.0 {
        return Ok(());
    }
    let area = area.margin(10, 10, 10, 20);
    let mut chart = ChartBuilder::on(&area)
        .caption(title, (FONT, 16))
        .x_label_area_size(25)
        .y_label_area_size(50)
        .build_cartesian_2d(0.0..right * 1.02, 0.0..top * 1.05)?;
    let whole = |value: &f64| format!("{value:.0}");
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&whole)
        .y_label_formatter(&whole)
        .draw()?;
    for one in series {
        let style = one.colour.stroke_width(2);
        let drawn = chart.draw_series(LineSeries::new(one.points.iter().copied(), style))?;
        drawn.label(one.label.clone()).legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
    }
    chart
        .configure_series_labels()
        .position(legend)
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font((FONT, 12))
        .draw()?;
    Ok(())
}
