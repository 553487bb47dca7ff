"""The pictures of a film as they are to be encoded: without the hidden margin, scaled if asked."""

import av
from av.filter import Graph

from .streams import cropping, display_size


def fitted_size(video: av.VideoStream, cap_pixels: int) -> tuple[int, int]:
    """(width, height) before turning, with at most ``cap_pixels`` (0: any number) and even."""
    width, height = display_size(video)
    if not cap_pixels or width * height <= cap_pixels:
        return width, height
    part = (cap_pixels / (width * height)) ** 0.5
    return max(2, int(width * part) // 2 * 2), max(2, int(height * part) // 2 * 2)


class Shape:
    """Cuts off what the container hides (clean aperture), which FFmpeg leaves to us, and scales."""

    def __init__(self, video: av.VideoStream, size: tuple[int, int]) -> None:
        self._graph: Graph | None = None
        top, _, left, _ = cropping(video)
        width, height = display_size(video)
        steps = []
        if any(cropping(video)):
            steps.append(("crop", f"w={width}:h={height}:x={left}:y={top}:exact=1"))
        if size != (width, height):
            steps.append(("scale", f"w={size[0]}:h={size[1]}:flags=lanczos"))
        if not steps:
            return
        self._graph = Graph()
        last = self._graph.add_buffer(template=video, time_base=video.time_base)
        for name, how in steps:
            step = self._graph.add(name, how)
            last.link_to(step)
            last = step
        last.link_to(self._graph.add("buffersink"))
        self._graph.configure()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return the picture to encode."""
        if self._graph is None:
            return frame
        self._graph.push(frame)
        made = self._graph.pull()
        assert isinstance(made, av.VideoFrame)  # noqa: S101 - a video graph gives video frames
        return made
