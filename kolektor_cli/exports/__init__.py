"""Trees as datasets of segmentation: YOLO, COCO, labelme and SegDecNet."""
