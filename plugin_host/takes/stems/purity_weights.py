"""Weights of `purity.py`, as `fit_purity.py` wrote them.

Fitted on 57 pieces, 7160 stretches of two seconds. On 15
others: 97 % of pure stretches named rightly, shares off by 0.11 on average.
"""

HIDDEN = 32
FIRST = (
    "0s#R12>=851^xs70008{|NZ^|{{RX9`ULy{0s#U60RjF20|5U40{{a4{{R30|Nj600{;X600RU5_y7L^{{R62000050{{I0{{aB~"
    "0R8{~0009300IO6^8f$<{s9941ONsB0RR2~0R#X30sa2~0RaU6|NjO50RI60{{aI51_1p1{{Q{}0s{a60ssC0009C20RIF30sjF1"
    "009931pxmF{{Z~}0RaFB00962009301OEa50{{O300062`Tqd?0sa61{`&y_{{a91008^|009941^@m500030{{I2{0RI31|Na32"
    "0RI610Ra5~{{s911_1y8008~~{{I5~0RI630{;O40RI300RaC1{{aF42mt{B00030{Qv>~0RI62{{R5|00IC20si~|{{R611ONd6"
    "{{a8~0092~0sR920RR9100I910Ra5~0sjC2_y7R_{{a900RaC10sa91{{R5}009610RQ{|{r~|1{r~|0{{a600RRC30sjC1{{R5}"
    "00961|Nr~|{Q(030{{U400000{{a610RaF2{r~{|000000RH^|{{aF40RRC20RR910RaC40RjI20002}009300RR2~009620ssO3"
    "0RjI20RR930RjI2{{jI20RjI2008~~0RI310{{U40RjF1{{a6100961{{aC10RaF20Rj5}0{;C00RR910Ra900093000000{{R30"
    "0RjI2008&^0{#2}{sI302Lt*70|NN=1sDkU_V)n<|NZ*_3-"
    "}uS_yGwB+Wr0o0s{F1_yPC@0t){7{`&n7{s#R24g3rJ{Qm?5=l=cz{{i~{|Ns062Kf8`{`UX}{sI2~3<CuG`2GR^BmV&a0RaF11p"
    "od5{QU&~0Q~?10R8>|1_B2D{Qd|1DE|Hc{sQ~{|NjO30sIF40ssE?{{R911_2BK0sad75dQ)J1OE5?2L1^7{09X91Ooj71OEL0`U"
    "Lp>{`(C83;zWF0|55|1OfjA`vd&|`~?9A0RI93{Q>y_{Qm?7=>Y}+0|Na0`~dy<1p@g12LJyD0{#R5`uhL^`~3g;{s0OD1O5d7_y"
    "7U{1qAo~@C*a;0{a30`uYd|`26hq00##H0R#O40000C0{r^^0|Ng20S5sA{Q>>|`~d_50|Ej7{{RC769W1E0ss8|2>$;D0|Wm7`T"
    "+a?{QUC&^7{e+{r~_24gvoA{{8>|0RsN^00aU6{`v?20t5R3`~Cz00s#U40Rj2}1OWd30tN#1000001N!*^0|N8_{Q(020sjI30|"
    "5E`0Q~{~0RaK|{`~#`0sry=1Of&9{s9000{;H~5di-"
    "E0RRC3`}+U~{rUd@008s>0tWv10{sL41OWg31_1#400aa90Q>$C|N8*|0tEB{0|fv22>Jj31OWj4{sI5~0tNp7{s#UC0sjC10Riv"
    ";0|Ec}1^og50s{a4<NyK(1Oxv70|Ef~0ssR50RHy@1pWd5`T+#~4hb#oqxTzu>IDh>DGl}^`qei34JQf%{oj8Z9OV4{67wkj2mk3"
    "33kLfC`6T%5_z^7n^ZH}=^a4C1<N5gR5c2^11N{sD_w)(`6%G3q0Q(&N<?Rdm{qzL>3IzHD2>|i+3jygK0{R#Q^w<M70Ra>N@$M@"
    "E1O)H~>;(@6{RjL1_Wl4W74sMX_z?jK0SXNR4GkIp`2*z$1_t{I`UejA-~RdL80`!I9svK<{s8X&3mX9g3-tH*A^-"
    "mW{Q4UJ^#1nV4+Rkd4l@e+0|)g16dmgX{sZO~!WRGi2l^ZSI{*dk0|y5N4<ZB*00Z>|{SXoa0{`Fr3=I1K0{{U6e+Bmo2NV?p`1A"
    "z`{|Wp83k2H%`TXVr{{!#-1N-s^V*%|D{Q(XD|J?)o{sRmF01Cwd?Ew7??gsDz0sZ+6Zv+G!?-"
    "}|4?D+iV`~VLD{r}4U^adCa=LGrs0tM^=SOEef1|0<g83Fz)0SNd39RS(>0P__a3<~S~2?YoQ82<zC1`qoP5*P>z0Qvy{8Ug47{r"
    "l?y3kdN53i=EN@&NnM_6q+5_!I*E1OWv91px&B_Wub70tW5;0RH#{*a80f`UnIA>G%BR{R0O60r&d=`Th3*_W=9;{sHy@y8-"
    "qZ_W=9=>h=8v00#g70{`*>`2G+1{QL9(`vwgC;REy@0RjO3^#%F`0R{g62m0^>1ojo}>Hhxx{0I;J$pH8C0t@;7`U(8~0s{vD{rd"
    "m}3HuiK`v3+3fq{R4(toIDfq{~NSAT(je}932foyhv+kc^d8GjXl0s#O42mt;C1pom3{Qdy|{`&v{1O5j8{saX4^#K0@_5%I>`2q"
    "D61^xE`?)m@V{Q3a^2=WC05(xnT-"
    "~9yu0OIQg`~D>X`~Lj?@AdkU3Gw*)1{e|i2lhAa_4y173jPxQF96cO0QT?u{2ut|0RjO9^6Mx6>j4V*_xJ?+6#V`I5C0hY1qJK?2"
    "n+o+1po^M{r&#{1pFKRApZXe1_ST}3jP772Mpu^2oLlt0|EQ~_uUZt>fIXm6ZioQ`vLw1^#J$b2Ltf^-"
    "v0dY0{#gB_U;w__4)(!1N8z50RQ$1-va~W`3dg<_4)zf0qY0-{Q3y~^Z@+-?*a%20{{I6)&}|l{Ri{|=l=i0|M~;|_xJn%@&)$)-"
    "~9yy{`&9*?g{ku{sH;<+vfbf0|5d5_4NP&^#cF){rCO`0si~~_5}C@^#2F_<N^P|1P%TE{{0O6`S%C`?Ee7+{rd9#<_7-"
    "f@%8=y*!}*(0s!&<4)go_^8z>n1^M>|{QK?)+WsW~_74L82Kxf30r>y__wXVB3IGfOto!l;?g9A}w*~hX<_*~W&F%-G2mA5?{?`-"
    "w^z`}ylLhe+Ir+;ZhX}^X0SATp2(bJ7F!}cP?css+feHTrfBDn~1P%rV!2$0x{P@xbLHPZC1Uc#f3-}lXAP2Yf9Tm*_)zsS-"
    "XYqmJ)f9mlfAiNu@B&r*Ab}PU=ohzC4FG}d=l3WB=K~=i*#IB|FZm8f@(lX_<10%LJQc9|(GceA"
)
SECOND = (
    "FSq?G4%2})<*qy_4M5p)yZ^LhA|6-"
    "4Q?T+Zj1Wt+=_$t#NjkY0X1yh;4=8`VOA@~PuYcLWHvcNqS>N$Hg4|&7wlk_CJdxqU&_UEpz9+UJ#d8n)z(VcMRoUD)9sK_Q"
)
FIRST_SCALES = (
    0.12332,
    0.13076,
    0.088446,
    0.16678,
    0.024778,
    0.33889,
    0.059076,
    0.053434,
    0.17544,
    0.087754,
    0.062353,
    0.22248,
    0.084031,
    0.079787,
    0.20862,
    0.026726,
    0.2074,
    0.11746,
    0.11474,
    0.32305,
    0.10172,
    0.10636,
    0.041766,
    0.37094,
    0.09258,
    0.10299,
    0.04704,
    0.11051,
    0.03589,
    0.14111,
    0.12704,
    0.14809,
)
SECOND_SCALES = (
    0.005323,
    0.0047127,
    0.0057187,
)
LAYERS = (FIRST, SECOND)
SCALES = (FIRST_SCALES, SECOND_SCALES)
