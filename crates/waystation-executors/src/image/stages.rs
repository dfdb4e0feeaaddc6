//! The two stages: one that finds the page itself, one that is told where it is.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use image::RgbImage;
use serde_json::json;
use waystation_core::Params;
use waystation_core::event::Level;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::Executor;

use super::photo;
use crate::page::{Quad, find_page, warp_page};
use crate::settings::Settings;

/// Fewer pixels are no page that anybody could read.
const AREA_MIN: f32 = 2_500.0;

#[derive(Clone)]
struct Straighten {
    /// Where pages go.
    folder: PathBuf,
    /// The param that names the photo.
    photo: String,
    /// The param that holds the corners; the page is looked for without one.
    corners: Option<String>,
}

/// Settings of `image.rectify`: `folder` for the pages, `photo` (the param that names the photo,
/// `path` by default). Adds `page` and `corners`, or ends as `ko` with `reason`.
pub fn build_rectify(settings: &mut Settings<'_>) -> Option<Executor> {
    build(settings, None)
}

/// Settings of `image.warp`: as `image.rectify`, and `corners` (the param that holds them,
/// `corners` by default): four `[x, y]` in pixels of the photo, in any order. Corners that make no
/// page end as `ko` with `reason`.
pub fn build_warp(settings: &mut Settings<'_>) -> Option<Executor> {
    let corners = settings.optional_text("corners").unwrap_or_else(|| "corners".to_owned());
    build(settings, Some(corners))
}

fn build(settings: &mut Settings<'_>, corners: Option<String>) -> Option<Executor> {
    let photo = settings.optional_text("photo").unwrap_or_else(|| "path".to_owned());
    let folder = settings.folder("folder")?;
    Some(Executor::Worker(Arc::new(Straighten { folder, photo, corners })))
}

#[async_trait]
impl Handler for Straighten {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let stage = self.clone();
        // Pixel work would hold up every other attempt on this thread.
        let work = tokio::task::spawn_blocking(move || stage.straighten(&context, &params));
        work.await.map_err(|error| Failure::from_error(ErrorKind::Panic, &error))?
    }
}

impl Straighten {
    fn straighten(&self, context: &Context, params: &Params) -> Result<Completion, Failure> {
        let (path, image) = photo::read(params, &self.photo)?;
        context.progress(20.0, "photo read");
        let corners = match &self.corners {
            // A slip of somebody's hand is for somebody's hand to mend.
            Some(param) => match given(params, param, &image) {
                Ok(corners) => corners,
                Err(reason) => return Ok(unable(&reason)),
            },
            None => match find_page(&image) {
                Ok(corners) => corners,
                Err(reason) => {
                    context.log(Level::Warn, &format!("{}: {reason}", path.display()));
                    return Ok(unable(&reason.to_string()));
                }
            },
        };
        context.progress(60.0, "page found");
        let page = warp_page(&image, &corners);
        let written = photo::write(&page, &self.folder, &format!("{}.png", context.job_id))?;
        let mut output = Params::new();
        output.insert("page".into(), json!(written));
        output.insert("corners".into(), json!(corners));
        Ok(Completion::ok(output))
    }
}

/// The work was not done, and why.
fn unable(reason: &str) -> Completion {
    let mut output = Params::new();
    output.insert("reason".into(), json!(reason));
    Completion::labelled("ko", output)
}

/// The corners that somebody gave.
fn given(params: &Params, param: &str, image: &RgbImage) -> Result<Quad, String> {
    let value = params.get(param).cloned().unwrap_or_default();
    let shown = value.to_string();
    let corners: Quad = serde_json::from_value(value).map_err(|error| {
        format!("param `{param}` must be four corners [[x, y], …], not {shown}: {error}")
    })?;
    let (width, height) = image.dimensions();
    // A corner may lie beyond the edge, where the photo cut the page off, but not far.
    let (far_x, far_y) = (width as f32, height as f32);
    let inside =
        |x: f32, y: f32| x >= -far_x && x <= 2.0 * far_x && y >= -far_y && y <= 2.0 * far_y;
    match corners.corners().iter().find(|point| !inside(point.x, point.y)) {
        None if corners.area() < AREA_MIN => Err(format!(
            "the corners of param `{param}` hold {:.0} pixels, too few for a page ({AREA_MIN})",
            corners.area()
        )),
        None => Ok(corners),
        Some(point) => Err(format!(
            "corner [{}, {}] of param `{param}` lies far outside the photo of {width} x {height}",
            point.x, point.y
        )),
    }
}
