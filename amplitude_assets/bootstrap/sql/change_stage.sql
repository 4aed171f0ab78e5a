-- Changes the URL of the lake.
alter stage {stage} set url = {location};
