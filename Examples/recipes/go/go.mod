module example/roost-recipes

go 1.19
