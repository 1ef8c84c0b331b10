"""Trees as datasets of segmentation: YOLO, COCO and labelme."""
