"""A tiny PhraseCut folder: pictures with coloured rectangles, and phrases for them."""

import json
from pathlib import Path

from PIL import Image, ImageDraw

COLOURS = ('red', 'green', 'blue')


def write_phrases(root: Path, pictures: int = 3, size_hw: tuple[int, int] = (48, 64)) -> Path:
    """`pictures` pictures with three phrases each, as split 'val'."""
    (root / 'images').mkdir(parents=True)
    tasks = []
    for row in range(pictures):
        image = Image.new('RGB', size_hw[::-1], (90, 90, 90 + row))
        pen = ImageDraw.Draw(image)
        for k, colour in enumerate(COLOURS):
            left, top = 4 + 20 * k, 6 + 3 * row
            pen.rectangle((left, top, left + 14, top + 16), colour)
            corners = [[left, top], [left + 14, top], [left + 14, top + 16], [left, top + 16]]
            tasks.append({
                'task_id': f'{row}__{k}', 'image_id': row, 'ann_ids': [k],
                'phrase': f'{colour} box', 'Polygons': [[corners]],
                'phrase_structure': {'name': 'box', 'type': 'attribute'}})
        image.save(root / 'images' / f'{row}.jpg')
    (root / 'refer_val.json').write_text(json.dumps(tasks))
    (root / 'image_data_split.json').write_text(json.dumps([
        {'image_id': row, 'height': size_hw[0], 'width': size_hw[1]} for row in range(pictures)]))
    return root
