module programs

go 1.20
