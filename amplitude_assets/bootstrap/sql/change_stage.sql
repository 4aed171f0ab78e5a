-- The lake is somewhere else now.
alter stage {stage} set url = {location};
